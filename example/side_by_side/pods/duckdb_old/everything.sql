-- A table with a column of each type that both drivers have, NULLs in each but the first.
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');

CREATE TABLE everything AS
SELECT
  id::INTEGER AS id,
  CASE WHEN id % 3 <> 0 THEN (id % 256 - 128)::TINYINT END AS tiny,
  CASE WHEN id % 5 <> 0 THEN (id * 7 % 65536 - 32768)::SMALLINT END AS small,
  CASE WHEN id % 7 <> 0 THEN (9223372036854775807 - id * 1000003) * sign END AS big,
  CASE WHEN id % 11 <> 0
    THEN (170141183460469231731687303715884105727 - id::HUGEINT * 1000003) * sign END AS huge,
  CASE WHEN id % 13 <> 0 THEN (id % 256)::UTINYINT END AS unsigned_tiny,
  CASE WHEN id % 17 <> 0 THEN (id % 65536)::USMALLINT END AS unsigned_small,
  CASE WHEN id % 19 <> 0 THEN (4294967295 - id)::UINTEGER END AS unsigned_int,
  CASE WHEN id % 23 <> 0 THEN (18446744073709551615 - id::HUGEINT)::UBIGINT END AS unsigned_big,
  CASE WHEN id % 29 <> 0 THEN id % 2 = 0 END AS flag,
  CASE WHEN id % 31 <> 0 THEN
    CASE id % 37 WHEN 1 THEN 'nan' WHEN 2 THEN 'inf' WHEN 3 THEN '-0.0' ELSE (id / 3)::VARCHAR END
  END::FLOAT AS single,
  CASE WHEN id % 31 <> 1 THEN
    CASE id % 41
      WHEN 2 THEN 'nan'::DOUBLE WHEN 3 THEN '-inf'::DOUBLE WHEN 4 THEN '-0.0'::DOUBLE
      ELSE sqrt(id) * 1e200
    END
  END AS double,
  CASE WHEN id % 31 <> 2 THEN (id * 0.001)::DECIMAL(18, 3) END AS price,
  CASE WHEN id % 31 <> 3 THEN
    ((id::HUGEINT * 1000000007 * 1000000007)::DECIMAL(38, 10)
      + (id % 10)::DECIMAL(38, 10) / 10000000000)::DECIMAL(38, 10)
  END AS exact,
  CASE WHEN id % 31 <> 4 THEN
    CASE id % 5
      WHEN 0 THEN ''
      WHEN 1 THEN 'a NUL ' || chr(0) || ' inside ' || id
      WHEN 2 THEN 'žluťoučký kůň 🐎 ' || id
      WHEN 3 THEN '第 ' || id || ' 行'
      ELSE 'it''s "row" ' || id
    END
  END AS name,
  CASE WHEN id % 31 <> 5 THEN
    CASE WHEN id % 4 = 0 THEN ''::BLOB ELSE from_base64('AP+AAQ==') || encode(id::VARCHAR) END
  END AS data,
  CASE WHEN id % 31 <> 6 THEN DATE '0001-01-01' + (id * 13 % 3652058)::INTEGER END AS day,
  CASE WHEN id % 31 <> 7 THEN TIME '00:00:00' + to_microseconds(id * 431999) END AS clock,
  CASE WHEN id % 31 <> 8 THEN
    TIMESTAMP '1600-01-01 00:00:00' + to_microseconds(id * 60000000001)
  END AS moment,
  CASE WHEN id % 31 <> 9 THEN
    (TIMESTAMP '1970-01-01 00:00:00' + to_microseconds(id * 7919000001))::TIMESTAMPTZ
  END AS moment_with_zone,
  CASE WHEN id % 31 <> 10 THEN
    to_months((id % 25)::INTEGER) + to_days((id % 40)::INTEGER) + to_microseconds(id * 1000003)
  END AS span,
  CASE WHEN id % 31 <> 11 THEN md5(id::VARCHAR)::UUID END AS ident,
  CASE WHEN id % 31 <> 12 THEN
    CASE WHEN id % 6 = 0 THEN [] ELSE ['a' || id, NULL, 'ž'] END
  END AS tags,
  CASE WHEN id % 31 <> 13 THEN
    {'x': id / 7, 'y': CASE WHEN id % 2 = 0 THEN id END, 'title': 'p' || id}
  END AS point,
  CASE WHEN id % 31 <> 14 THEN map(['one', 'k' || id], [1, id]) END AS scores,
  CASE WHEN id % 31 <> 15 THEN (['sad', 'ok', 'happy'])[id % 3 + 1]::mood END AS mood,
FROM (
  SELECT id, CASE WHEN id % 2 = 0 THEN 1 ELSE -1 END AS sign FROM range($rows) AS numbers(id)
);
