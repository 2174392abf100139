"""Citations over turns: the model can cite earlier results, and sees its earlier citations."""

import asyncio

from antiphon.wire.content import FileCitation, InputText, OutputText
from antiphon.wire.items import FileSearchCall, Item, Message
from antiphon.wire.json import JSONObject
from tests.engine.looping import ScriptedModel, collect, loop
from tests.engine.replies import STOP, chunk

FOUND: list[JSONObject] = [{"file_id": "file-1", "filename": "one.txt", "score": 1.0, "text": "Yes."}]
CITED = FileCitation(file_id="file-1", filename="one.txt", index=3)


def test_a_second_turn_cites_what_the_first_has_found() -> None:
    items: list[Item] = [
        Message(role="user", content=[InputText("Is it?")]),
        FileSearchCall(id="fs_1", status="completed", queries=["it"], results=FOUND),
        Message(role="assistant", content=[OutputText(text="Yes.", annotations=[CITED])]),
        Message(role="user", content=[InputText("Sure?")]),
    ]
    model = ScriptedModel([[chunk(content="Sure"), chunk(content=" <|file-1|>.")], [STOP]])
    events = asyncio.run(collect(loop(model, items=items)))
    assert model.requests[0]["messages"][-2] == {"role": "assistant", "content": "Yes <|file-1|>."}
    [part] = events[-1]["response"]["output"][0]["content"]
    assert part["text"] == "Sure."
    note = {"type": "file_citation", "file_id": "file-1", "filename": "one.txt", "index": 4}
    assert part["annotations"] == [note]
    [told] = [event for event in events if event["type"] == "response.output_text.annotation.added"]
    assert (told["annotation_index"], told["annotation"]) == (0, note)
