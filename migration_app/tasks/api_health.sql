-- health --
-- Keep the newest of what was known and what this process saw.
INSERT INTO migration_app_apihealth AS known (api, address, answered_at, accepted_at, failed_at, failed_code)
VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (api, address) DO UPDATE SET
    answered_at = greatest(known.answered_at, excluded.answered_at),
    accepted_at = greatest(known.accepted_at, excluded.accepted_at),
    failed_at = greatest(known.failed_at, excluded.failed_at),
    failed_code = CASE
        WHEN excluded.failed_at >= coalesce(known.failed_at, excluded.failed_at) THEN excluded.failed_code
        ELSE known.failed_code
    END

-- minute --
-- Add this process's calls to the minute's.
INSERT INTO migration_app_apiminute AS known (api, minute, calls, throttled, failed)
VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (minute, api) DO UPDATE SET
    calls = known.calls + excluded.calls,
    throttled = known.throttled + excluded.throttled,
    failed = known.failed + excluded.failed
