"""The same requests to a real MLflow server and to Lathe, answer by answer.

`catalogue/`                  the requests, in the order they are sent
`answers-3.17.2.json`         what MLflow 3.17.2 answered (written by `python -m probe.record`)
`expected_differences.toml`   where Lathe answers otherwise on purpose, each with its reason
`runner.py`                   sends the catalogue to a server
`compare.py`                  brings two answers into one form and says in what they differ
"""
