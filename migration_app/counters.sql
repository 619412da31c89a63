-- trigger --
-- Write down what one statement changed, a row a combination; what it left alone in all that is counted cancels out.
CREATE FUNCTION {totals}_{operation}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO {totals}change ({columns})
    SELECT {keys}, {sums}
    FROM ({changed}) AS changed
    GROUP BY {keys}
    HAVING {any_sum};
    RETURN NULL;
END $$;
CREATE TRIGGER console_count_{operation} AFTER {operation} ON {source}
    REFERENCING {transition_tables} FOR EACH STATEMENT EXECUTE FUNCTION {totals}_{operation}();

-- trigger_truncate --
-- Empty the counters together with the table that they count.
CREATE FUNCTION {totals}_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM {totals}change;
    DELETE FROM {totals};
    RETURN NULL;
END $$;
CREATE TRIGGER console_count_truncate BEFORE TRUNCATE ON {source}
    FOR EACH STATEMENT EXECUTE FUNCTION {totals}_truncate();

-- trigger_drop --
-- Take one trigger and its function away again.
DROP TRIGGER console_count_{operation} ON {source};
DROP FUNCTION {totals}_{operation}();

-- fold --
-- Add what has changed to the totals. Deleting and adding are one statement: readers see either the changes or the totals.
WITH taken AS (
    DELETE FROM {changes} RETURNING {columns}
), scoped AS (
    {taken_scoped}
)
INSERT INTO {totals} AS t ({columns})
SELECT {keys}, {sums} FROM scoped GROUP BY {keys}
ON CONFLICT ({keys}) DO UPDATE SET {added}

-- tally_lines --
-- How many threads are alike, by the counters: {rows} selects totals and changes.
SELECT {keys}, {sums} FROM ({rows}) AS counted GROUP BY {keys}
HAVING sum(threads) <> 0 ORDER BY {keys}

-- recount --
-- Write everything as one change, out of the rows themselves.
INSERT INTO {changes} ({columns})
SELECT {key_expressions}, {measured} FROM {source} GROUP BY {key_expressions}

-- differences --
-- Where totals and changes are not what the rows say, and by how much; one statement, so of one moment.
WITH truth ({columns}) AS (
    SELECT {key_expressions}, {measured} FROM {source} GROUP BY {key_expressions}
), apart AS (
    SELECT {columns} FROM {changes}
    UNION ALL SELECT {keys}, {negated} FROM truth
), compared AS (
    SELECT {columns} FROM {totals}
    UNION ALL {apart_scoped}
)
SELECT {scope}, concat_ws(' ', {shown_keys}), {sums} FROM compared GROUP BY {keys}
HAVING {any_sum} ORDER BY 1, 2
