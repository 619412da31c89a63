"""The bundled sample archive: an invented company's Assistants estate, for the demo and for tests.

`estate.jsonl.gz` holds API objects, `thread_ids.csv` some of its thread ids, `transcripts.jsonl` and
`transcripts.csv` are small examples of what somebody with only their own database could bring. All four are
made by `python -m console.sample.build`. People, companies and orders in them are invented.

This package must not import Django, the network or any other part of the application.
"""

from pathlib import Path


def sample_path(name: str = "estate.jsonl.gz") -> Path:
    """The bundled file of that name; FileNotFoundError names the files there are."""
    folder = Path(__file__).parent
    bundled = {
        path.name: path for path in sorted(folder.iterdir()) if path.suffix in {".gz", ".jsonl", ".csv"}
    }
    if name not in bundled:
        raise FileNotFoundError(f"There is no sample file {name!r}. Bundled are: {', '.join(bundled)}.")
    return bundled[name]
