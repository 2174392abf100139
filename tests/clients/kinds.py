"""Items of every kind that a conversation stores."""

from antiphon.wire.json import JSONObject

CITED = {"type": "url_citation", "start_index": 0, "end_index": 4, "title": "T", "url": "https://a.example"}

KINDS: dict[str, JSONObject] = {
    "user": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
    "system": {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "Be"}]},
    "developer": {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Be"}]},
    "assistant": {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "Text", "annotations": [CITED], "logprobs": []}],
    },
    "refusal": {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
    "image": {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "low"}],
    },
    "file": {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_file", "filename": "a.txt", "file_data": "data:text/plain;base64,AA=="}],
    },
    "function_call": {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": '{"a": 1}'},
    "function_call_output": {"type": "function_call_output", "call_id": "call_1", "output": "done"},
    "output_parts": {
        "type": "function_call_output",
        "call_id": "call_1",
        "output": [{"type": "input_text", "text": "done"}],
    },
    "reasoning": {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "Thought."}],
        "content": [{"type": "reasoning_text", "text": "Thinking."}],
        "encrypted_content": "gAAA",
    },
    "web_search_call": {
        "type": "web_search_call",
        "status": "completed",
        "action": {"type": "search", "query": "q", "queries": ["q"]},
    },
    "file_search_call": {
        "type": "file_search_call",
        "status": "completed",
        "queries": ["q"],
        "results": [{"file_id": "file-1", "filename": "a.txt", "score": 0.5, "text": "t", "attributes": {}}],
    },
    "code_interpreter_call": {
        "type": "code_interpreter_call",
        "status": "completed",
        "code": "1 + 1",
        "container_id": "cntr_1",
        "outputs": [{"type": "logs", "logs": "2"}],
    },
    "mcp_list_tools": {
        "type": "mcp_list_tools",
        "server_label": "docs",
        "tools": [{"name": "t", "description": "d", "input_schema": {"type": "object"}, "annotations": None}],
    },
    "mcp_approval_request": {
        "type": "mcp_approval_request",
        "server_label": "docs",
        "name": "t",
        "arguments": "{}",
    },
    "mcp_approval_response": {
        "type": "mcp_approval_response",
        "approval_request_id": "mcpr_1",
        "approve": True,
    },
    "mcp_call": {
        "type": "mcp_call",
        "status": "completed",
        "server_label": "docs",
        "name": "t",
        "arguments": "{}",
        "output": "found",
        "error": None,
        "approval_request_id": None,
    },
    "mcp_call that failed": {
        "type": "mcp_call",
        "status": "failed",
        "server_label": "docs",
        "name": "t",
        "arguments": "{}",
        "error": {"type": "mcp_protocol_error", "code": -32000, "message": "down"},
    },
    "image_generation_call": {"type": "image_generation_call", "status": "completed", "result": "AA=="},
    "computer_call": {
        "type": "computer_call",
        "status": "completed",
        "call_id": "call_1",
        "action": {"type": "screenshot"},
        "pending_safety_checks": [],
    },
    "local_shell_call": {
        "type": "local_shell_call",
        "status": "completed",
        "call_id": "call_1",
        "action": {"type": "exec", "command": ["ls"], "env": {}},
    },
    "computer_call_output": {
        "type": "computer_call_output",
        "call_id": "call_1",
        "output": {"type": "computer_screenshot", "image_url": "data:image/png;base64,AA=="},
    },
    "local_shell_call_output": {"type": "local_shell_call_output", "output": "a.txt"},
    "shell_call_output": {
        "type": "shell_call_output",
        "call_id": "call_1",
        "output": [{"stdout": "a.txt", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}],
        "max_output_length": 1000,
    },
    "apply_patch_call_output": {
        "type": "apply_patch_call_output",
        "status": "completed",
        "call_id": "call_1",
        "output": None,
    },
    "tool_search_call": {
        "type": "tool_search_call",
        "call_id": None,
        "execution": "server",
        "arguments": {"query": "q"},
    },
    "tool_search_output": {
        "type": "tool_search_output",
        "call_id": None,
        "execution": "server",
        "tools": [{"type": "web_search"}],
    },
    "additional_tools": {
        "type": "additional_tools",
        "role": "developer",
        "tools": [{"type": "web_search"}],
    },
    "program": {"type": "program", "call_id": "call_1", "code": "1", "fingerprint": "f"},
    "program_output": {
        "type": "program_output",
        "status": "completed",
        "call_id": "call_1",
        "result": "1",
    },
    "shell_call": {
        "type": "shell_call",
        "status": "completed",
        "call_id": "call_1",
        "action": {"commands": ["ls"], "timeout_ms": None, "max_output_length": None},
        "environment": None,
    },
    "apply_patch_call": {
        "type": "apply_patch_call",
        "status": "completed",
        "call_id": "call_1",
        "operation": {"type": "delete_file", "path": "a.txt"},
    },
    "custom_tool_call": {"type": "custom_tool_call", "call_id": "call_1", "name": "c", "input": "raw text"},
    "custom_tool_call_output": {"type": "custom_tool_call_output", "call_id": "call_1", "output": "done"},
    "compaction": {"type": "compaction", "encrypted_content": "gAAA"},
}
