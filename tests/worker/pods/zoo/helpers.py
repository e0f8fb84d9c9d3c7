"""Found as pods.zoo.helpers, and as helpers too."""


def double(number):
    return 2 * number
