"""LibreOffice, without a screen: what it makes of our files and our answers."""

import io
import os
import shutil
import subprocess  # ruff: ignore[suspicious-subprocess-import] - fixed arguments
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openpyxl import load_workbook
from openpyxl.worksheet.worksheet import Worksheet
from werkzeug.serving import BaseWSGIServer, make_server

from tests.sheets.files import post

SOFFICE = shutil.which("soffice")
pytestmark = pytest.mark.skipif(SOFFICE is None, reason="LibreOffice (soffice) is not installed")
LIBRARY = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE library:library PUBLIC "-//OpenOffice.org//DTD OfficeDocument 1.0//EN" "library.dtd">
<library:library xmlns:library="http://openoffice.org/2000/library" library:name="Standard"
 library:readonly="false" library:passwordprotected="false">
<library:element library:name="Module1"/></library:library>"""
MODULE = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE script:module PUBLIC "-//OpenOffice.org//DTD OfficeDocument 1.0//EN" "module.dtd">
<script:module xmlns:script="http://openoffice.org/2000/script" script:name="Module1"
 script:language="StarBasic">
Sub Recalculate(source As String, target As String)
  Dim how(2) As New com.sun.star.beans.PropertyValue
  how(0).Name = "Hidden" : how(0).Value = True
  how(1).Name = "UpdateDocMode" : how(1).Value = 3
  how(2).Name = "MacroExecutionMode" : how(2).Value = 4
  document = StarDesktop.loadComponentFromURL(source, "_blank", 0, how())
  document.calculateAll()
  Wait 3000
  document.calculateAll()
  Dim saved(0) As New com.sun.star.beans.PropertyValue
  saved(0).Name = "FilterName" : saved(0).Value = "Calc MS Excel 2007 XML"
  document.storeToURL(target, saved())
  document.close(True)
  StarDesktop.terminate()
End Sub
</script:module>"""
SETTINGS = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
<item oor:path="/org.openoffice.Office.Common/Security/Scripting">
<prop oor:name="SecureURL" oor:op="fuse"><value><it>{folder}</it></value></prop></item>
</oor:items>"""


class Counted:
    """An application that keeps the paths which LibreOffice asked for, by method."""

    def __init__(self, app: Flask) -> None:
        self.app, self.asked = app, dict[str, list[str]]()

    def __call__(self, environ, start_response):  # type: ignore[no-untyped-def]
        if "LibreOffice" in environ.get("HTTP_USER_AGENT", ""):
            self.asked.setdefault(environ["REQUEST_METHOD"], []).append(environ["PATH_INFO"])
        return self.app(environ, start_response)


@pytest.fixture
def counted(app: Flask) -> Counted:
    return Counted(app)


@pytest.fixture
def server(counted: Counted) -> Iterator[BaseWSGIServer]:
    made = make_server("127.0.0.1", 0, counted, threaded=True)
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def office(folder: Path, *words: str) -> None:
    """Run LibreOffice with the settings of a folder."""
    settings = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
    command = [str(SOFFICE), settings, "--headless", "--norestore", *words]
    kept = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    subprocess.run(command, check=True, timeout=180, env=kept, capture_output=True)


def prepare(folder: Path) -> None:
    """Let files of a folder fetch, and add a macro after the first start, which brings its own."""
    user = folder / "profile" / "user"
    user.mkdir(parents=True)
    settings = SETTINGS.format(folder=folder.as_uri())
    (user / "registrymodifications.xcu").write_text(settings, encoding="utf-8")
    office(folder, "--terminate_after_init")
    (user / "basic" / "Standard" / "script.xlb").write_text(LIBRARY, encoding="utf-8")
    (user / "basic" / "Standard" / "Module1.xba").write_text(MODULE, encoding="utf-8")


def recalculated(folder: Path, source: Path) -> list[Worksheet]:
    """The sheets of a file after LibreOffice opened it and worked it out anew."""
    target = folder / "recalculated.xlsx"
    prepare(folder)
    called = f'macro:///Standard.Module1.Recalculate("{source.as_uri()}","{target.as_uri()}")'
    office(folder, called)
    return list(load_workbook(io.BytesIO(target.read_bytes()), data_only=True).worksheets)


def expected(client: FlaskClient, of: str, asked: dict[str, object], field: str) -> object:
    """What the cell of a question should show: a number where the answer is one."""
    given = {name: value for name, value in asked.items() if value is not None}
    text = client.get(f"/v1/scalar/{field}", query_string={"of": of, **given}).text
    try:
        return float(text)
    except ValueError:
        return text or None


@pytest.mark.parametrize("form", ["ods", "xlsx"])
def test_the_served_workbook_asks_the_running_service_and_shows_its_numbers(
    client: FlaskClient, server: BaseWSGIServer, counted: Counted, tmp_path: Path, form: str
) -> None:
    source = tmp_path / f"gpu-planner.{form}"
    address = f"http://127.0.0.1:{server.port}/sheets/{source.name}"
    with urlopen(address) as answer:
        source.write_bytes(answer.read())
    sheets = recalculated(tmp_path, source)
    for sheet, of in zip(sheets, ("plan", "estimate"), strict=False):
        _, _, _, heading, *rows = sheet.values
        asked = heading.index("question")
        for row in rows:
            question = dict(zip(heading[:asked], row, strict=False))
            for name, value in list(zip(heading, row, strict=True))[asked + 1 :]:
                assert value == expected(client, of, question, name), (question, name)
    fetched = counted.asked
    assert len(set(fetched["GET"])) > 15
    assert set(fetched) == {"OPTIONS", "HEAD", "GET"}


def test_no_answer_becomes_a_formula(client: FlaskClient, tmp_path: Path) -> None:
    source = tmp_path / "answers.csv"
    text = 'model,note,delta\nllama,"=1+1",-5\nllama,"@SUM(1)",+7\n'
    source.write_bytes(post(client, text, query="?fields=cards").data)
    heading, *rows = recalculated(tmp_path, source)[0].values
    assert [row[heading.index("note")] for row in rows] == ["'=1+1", "'@SUM(1)"]
    assert [row[heading.index("delta")] for row in rows] == [-5, 7]
