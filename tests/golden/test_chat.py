"""Messages of each platform, compared whole with the files in chat/.

`UPDATE_GOLDEN=1` writes them anew; read the difference before committing it.
"""

import json
import os
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from service.api.chat.routes import reply
from service.presentation.chat.forms import FORMS

FOLDER = Path(__file__).parent / "chat"
LINES = {
    "plan": "llama-3.1-8b ctx=32k users=4 awq generic on a10",
    "nothing-fits": "llama-3.1-8b ctx=32k users=16 awq generic on a10 max 2",
    "refused": "lama-3.1-8b chepest",
}


@pytest.mark.parametrize("platform", FORMS)
@pytest.mark.parametrize("name", LINES)
def test_a_message_reads_as_it_was_approved(client: FlaskClient, name: str, platform: str) -> None:
    with client.application.test_request_context():
        found = FORMS[platform](reply(LINES[name]))
    text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    golden = FOLDER / f"{name}.{platform}.json"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8"), "UPDATE_GOLDEN=1 if it is meant"
