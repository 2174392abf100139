from antiphon.engine.request.summary import (
    as_told,
    kept_messages,
    request_of_summary,
    without_loaded_files,
)
from antiphon.wire.content import ContentPart, InputFile, InputImage, InputText
from antiphon.wire.items import FunctionCall, Item, Message


def test_what_people_and_programs_wrote_is_kept() -> None:
    items: list[Item] = [
        Message(role="developer", content="d"),
        Message(role="user", content="u"),
        Message(role="assistant", content="a"),
        FunctionCall(call_id="c", name="f", arguments="{}"),
        Message(role="system", content="s"),
    ]
    assert [message.content for message in kept_messages(items)] == ["d", "u", "s"]


def test_the_words_to_the_models_are_those_of_llama_stack() -> None:
    asked = request_of_summary(None)
    assert asked["role"] == "user"
    assert str(asked["content"]).startswith(
        "You are performing a CONTEXT CHECKPOINT COMPACTION. Create a handoff summary for another LLM that "
        "will resume the task.\n\nInclude:\n- "
    )
    told = as_told("It went well.")
    assert told["role"] == "assistant"
    assert str(told["content"]).startswith(
        "Another language model started to solve this problem and produced a summary of its thinking "
        "process. "
    )
    assert str(told["content"]).endswith(" analysis:\nIt went well.")


def test_instructions_come_before_the_request_for_a_summary() -> None:
    plain = request_of_summary(None)["content"]
    assert request_of_summary("Be short.")["content"] == f"Be short.\n\n{plain}"


def test_uploaded_files_are_kept_by_their_ids_alone() -> None:
    text = InputText("See:")
    inline = InputFile(filename="b.txt", file_data="data:text/plain;base64,Yg==")
    linked = InputImage(image_url="https://example.org/a.png")
    loaded: list[ContentPart] = [
        text,
        InputFile(file_id="file-1", file_data="data:text/plain;base64,YQ=="),
        InputImage(file_id="file-2", image_url="data:image/png;base64,iVBORw0KGgo="),
        inline,
        linked,
    ]
    message = without_loaded_files(Message(role="user", content=loaded))
    assert message.content == [
        text,
        InputFile(file_id="file-1"),
        InputImage(file_id="file-2"),
        inline,
        linked,
    ]


def test_a_message_of_plain_text_holds_no_files() -> None:
    message = Message(role="user", content="Hi")
    assert without_loaded_files(message) is message
