CREATE FUNCTION corpus_schema.count_vector_store_files() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN IF TG_OP = 'UPDATE' AND OLD.status = NEW.status AND OLD.usage_bytes = NEW.usage_bytes THEN RETURN NULL; END IF; IF TG_OP <> 'INSERT' THEN UPDATE vector_stores SET in_progress = in_progress - (OLD.status = 'in_progress')::int, completed = completed - (OLD.status = 'completed')::int, failed = failed - (OLD.status = 'failed')::int, cancelled = cancelled - (OLD.status = 'cancelled')::int, usage_bytes = usage_bytes - (OLD.status = 'completed')::int * OLD.usage_bytes WHERE id = OLD.vector_store_id; END IF; IF TG_OP <> 'DELETE' THEN UPDATE vector_stores SET in_progress = in_progress + (NEW.status = 'in_progress')::int, completed = completed + (NEW.status = 'completed')::int, failed = failed + (NEW.status = 'failed')::int, cancelled = cancelled + (NEW.status = 'cancelled')::int, usage_bytes = usage_bytes + (NEW.status = 'completed')::int * NEW.usage_bytes WHERE id = NEW.vector_store_id; END IF; RETURN NULL; END $$;
CREATE TABLE corpus_schema.api_keys (
    hash text NOT NULL,
    name text NOT NULL,
    owner text NOT NULL,
    hint text NOT NULL,
    created_at double precision NOT NULL,
    requests_per_minute integer,
    tokens_per_minute integer,
    concurrent_streams integer
);
CREATE TABLE corpus_schema.chunk_terms (
    chunk_id bigint NOT NULL,
    terms tsvector NOT NULL,
    words integer NOT NULL
);
ALTER TABLE ONLY corpus_schema.chunk_terms ALTER COLUMN terms SET STORAGE MAIN;
CREATE TABLE corpus_schema.chunk_vectors (
    chunk_id bigint NOT NULL,
    vector public.vector NOT NULL
);
ALTER TABLE ONLY corpus_schema.chunk_vectors ALTER COLUMN vector SET STORAGE MAIN;
CREATE TABLE corpus_schema.chunks (
    id bigint NOT NULL,
    vector_store_id text NOT NULL,
    file_id text NOT NULL,
    "position" integer NOT NULL,
    text text NOT NULL
);
CREATE SEQUENCE corpus_schema.chunks_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE corpus_schema.chunks_id_seq OWNED BY corpus_schema.chunks.id;
CREATE TABLE corpus_schema.conversation_items (
    conversation_id text NOT NULL,
    "position" integer NOT NULL,
    item_id text NOT NULL
);
CREATE TABLE corpus_schema.conversations (
    id text NOT NULL,
    owner text NOT NULL,
    created_at double precision NOT NULL,
    metadata text NOT NULL,
    next_position integer NOT NULL,
    deleted_at double precision,
    locked_by text,
    locked_server text
);
CREATE TABLE corpus_schema.deletions (
    kind text NOT NULL,
    id text NOT NULL
);
CREATE TABLE corpus_schema.file_batches (
    id text NOT NULL,
    vector_store_id text NOT NULL,
    created_at double precision NOT NULL,
    cancelled boolean NOT NULL
);
CREATE TABLE corpus_schema.files (
    id text NOT NULL,
    owner text NOT NULL,
    created_at double precision NOT NULL,
    expires_at double precision,
    deadline double precision,
    purpose text NOT NULL,
    filename text NOT NULL,
    media_type text,
    bytes bigint NOT NULL,
    deleted_at double precision
);
CREATE TABLE corpus_schema.idempotency_keys (
    owner text NOT NULL,
    key_hash text NOT NULL,
    created_at double precision NOT NULL,
    server_id text NOT NULL,
    answer bytea
);
CREATE TABLE corpus_schema.items (
    owner text NOT NULL,
    id text NOT NULL,
    kind text NOT NULL,
    body text NOT NULL
);
CREATE TABLE corpus_schema.prompt_versions (
    prompt_id text NOT NULL,
    version integer NOT NULL,
    text text NOT NULL,
    variables text NOT NULL
);
CREATE TABLE corpus_schema.prompts (
    id text NOT NULL,
    owner text NOT NULL,
    created_at double precision NOT NULL,
    default_version integer NOT NULL,
    latest_version integer NOT NULL
);
CREATE TABLE corpus_schema.registered_models (
    owner text NOT NULL,
    id text NOT NULL,
    created_at double precision NOT NULL,
    provider_id text NOT NULL,
    provider_model_id text NOT NULL,
    model_type text NOT NULL,
    metadata text NOT NULL
);
CREATE TABLE corpus_schema.response_items (
    response_id text NOT NULL,
    direction text NOT NULL,
    "position" integer NOT NULL,
    item_id text NOT NULL
);
CREATE TABLE corpus_schema.responses (
    id text NOT NULL,
    owner text NOT NULL,
    created_at double precision NOT NULL,
    completed_at double precision,
    status text NOT NULL,
    model text NOT NULL,
    previous_response_id text,
    conversation_id text,
    conversation_position integer,
    server_id text NOT NULL,
    body text NOT NULL,
    deleted_at double precision
);
CREATE TABLE corpus_schema.run_events (
    run_id text NOT NULL,
    seq integer NOT NULL,
    body text NOT NULL
);
CREATE TABLE corpus_schema.run_steps (
    run_id text NOT NULL,
    name text NOT NULL,
    body text
);
CREATE TABLE corpus_schema.runs (
    id text NOT NULL,
    owner text NOT NULL,
    backend text NOT NULL,
    priority integer NOT NULL,
    queued_at double precision NOT NULL,
    state text NOT NULL,
    holder text,
    epoch integer NOT NULL,
    next_seq integer NOT NULL,
    open_call integer,
    call_seq integer NOT NULL,
    is_streamed boolean NOT NULL,
    is_cancelled boolean NOT NULL,
    request text
);
CREATE TABLE corpus_schema.schema_version (
    name text NOT NULL
);
CREATE TABLE corpus_schema.secrets (
    name text NOT NULL,
    value text NOT NULL
);
CREATE TABLE corpus_schema.servers (
    id text NOT NULL,
    seen_at double precision NOT NULL
);
CREATE TABLE corpus_schema.vector_blocks (
    id bigint NOT NULL,
    chunk_id bigint NOT NULL,
    vector_store_id text NOT NULL,
    file_id text NOT NULL,
    dimensions integer NOT NULL,
    vectors integer NOT NULL,
    ids bytea NOT NULL,
    codes bytea NOT NULL
);
CREATE SEQUENCE corpus_schema.vector_blocks_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE corpus_schema.vector_blocks_id_seq OWNED BY corpus_schema.vector_blocks.id;
CREATE TABLE corpus_schema.vector_store_files (
    vector_store_id text NOT NULL,
    file_id text NOT NULL,
    created_at double precision NOT NULL,
    batch_id text,
    status text NOT NULL,
    attempt text NOT NULL,
    server_id text NOT NULL,
    usage_bytes bigint NOT NULL,
    error_code text,
    error_message text,
    attributes text NOT NULL,
    max_chunk_size integer NOT NULL,
    chunk_overlap integer NOT NULL
);
CREATE TABLE corpus_schema.vector_stores (
    id text NOT NULL,
    owner text NOT NULL,
    created_at double precision NOT NULL,
    last_active_at double precision NOT NULL,
    used_at double precision NOT NULL,
    expires_after_days integer,
    name text NOT NULL,
    metadata text NOT NULL,
    embedding_model text,
    embedding_dimension integer,
    in_progress bigint DEFAULT '0'::bigint NOT NULL,
    completed bigint DEFAULT '0'::bigint NOT NULL,
    failed bigint DEFAULT '0'::bigint NOT NULL,
    cancelled bigint DEFAULT '0'::bigint NOT NULL,
    usage_bytes bigint DEFAULT '0'::bigint NOT NULL,
    deleted_at double precision
);
CREATE TABLE corpus_schema.versions (
    name text NOT NULL,
    value text NOT NULL
);
ALTER TABLE ONLY corpus_schema.chunks ALTER COLUMN id SET DEFAULT nextval('corpus_schema.chunks_id_seq'::regclass);
ALTER TABLE ONLY corpus_schema.vector_blocks ALTER COLUMN id SET DEFAULT nextval('corpus_schema.vector_blocks_id_seq'::regclass);
INSERT INTO corpus_schema.conversations VALUES ('conv_18ecd197bab677f8db742049bc9cfa3d2ee2e52265a2813a', 'local', 1796040801.0037208, '{}', 0, NULL, 'resp_18ecd1986b57d0824347abe5a9107bc6294bee994864f2e46a', 'durable');
INSERT INTO corpus_schema.items VALUES ('local', 'msg_2deb203c23782ed5354d0664b05bf412cb8a435fde13f9d88d', 'message', '{"type":"message","id":"msg_2deb203c23782ed5354d0664b05bf412cb8a435fde13f9d88d","status":"completed","content":[{"type":"input_text","text":"it has ended"}],"role":"user"}');
INSERT INTO corpus_schema.items VALUES ('local', 'ws_ae1311855be43fc24855350c9c9f335dd6d487abb105a14747', 'web_search_call', '{"type":"web_search_call","id":"ws_ae1311855be43fc24855350c9c9f335dd6d487abb105a14747","status":"completed","action":{"type":"search","query":"first","queries":["first"],"sources":[{"type":"url","url":"https://example.com/a"}]},"results":[{"url":"https://example.com/a","title":"A page","content":"What it says.","score":0.5,"raw_content":null}]}');
INSERT INTO corpus_schema.items VALUES ('local', 'ws_0bf5070515026667a15d362cae96bd54d1824de96bc9b4f9f4', 'web_search_call', '{"type":"web_search_call","id":"ws_0bf5070515026667a15d362cae96bd54d1824de96bc9b4f9f4","status":"completed","action":{"type":"search","query":"second","queries":["second"],"sources":[{"type":"url","url":"https://example.com/a"}]},"results":[{"url":"https://example.com/a","title":"A page","content":"What it says.","score":0.5,"raw_content":null}]}');
INSERT INTO corpus_schema.items VALUES ('local', 'msg_74b341ff923ac10e2a10dc1747d7de1f7531c3209a14749bff', 'message', '{"type":"message","id":"msg_74b341ff923ac10e2a10dc1747d7de1f7531c3209a14749bff","status":"completed","content":[{"type":"output_text","annotations":[],"logprobs":[],"text":"word0 word1 word2 word3 word4 word5 word6 word7 word8 word9 word10 word11 "}],"role":"assistant"}');
INSERT INTO corpus_schema.items VALUES ('local', 'msg_98e8445fc8a460a2e078abca13bf51a84443553fa95ab5af5a', 'message', '{"type":"message","id":"msg_98e8445fc8a460a2e078abca13bf51a84443553fa95ab5af5a","status":"completed","content":[{"type":"input_text","text":"its first call is cut"}],"role":"user"}');
INSERT INTO corpus_schema.items VALUES ('local', 'msg_0155e8e80a07ac271cb3444cf78219a1221a7a6f5bb69028a2', 'message', '{"type":"message","id":"msg_0155e8e80a07ac271cb3444cf78219a1221a7a6f5bb69028a2","status":"completed","content":[{"type":"input_text","text":"its last call is cut and was read"}],"role":"user"}');
INSERT INTO corpus_schema.items VALUES ('local', 'msg_c45b7eed9aba5dd27fe3c51dae5918735e1a4a8dfe4dc9b77c', 'message', '{"type":"message","id":"msg_c45b7eed9aba5dd27fe3c51dae5918735e1a4a8dfe4dc9b77c","status":"completed","content":[{"type":"input_text","text":"it is in a conversation"}],"role":"user"}');
INSERT INTO corpus_schema.items VALUES ('local', 'msg_c56373be4c1d2ff62d335caa39ef9aceb4ef5b3cf68efab41f', 'message', '{"type":"message","id":"msg_c56373be4c1d2ff62d335caa39ef9aceb4ef5b3cf68efab41f","status":"completed","content":[{"type":"input_text","text":"its tool call is cut"}],"role":"user"}');
INSERT INTO corpus_schema.items VALUES ('local', 'msg_b7db8cbf6ff1ec22bfdc36e4615f8fc744a51ee0794c35955a', 'message', '{"type":"message","id":"msg_b7db8cbf6ff1ec22bfdc36e4615f8fc744a51ee0794c35955a","status":"completed","content":[{"type":"input_text","text":"it is cancelled"}],"role":"user"}');
INSERT INTO corpus_schema.items VALUES ('local', 'msg_0d12bd61f87a36917c6af6c1c1446ae37e9c5fb839c6874092', 'message', '{"type":"message","id":"msg_0d12bd61f87a36917c6af6c1c1446ae37e9c5fb839c6874092","status":"completed","content":[{"type":"input_text","text":"it is queued"}],"role":"user"}');
INSERT INTO corpus_schema.response_items VALUES ('resp_18ecd197bc83a0203e1baf5df8284a86b0334dc3b9c29f56cd', 'input', 0, 'msg_2deb203c23782ed5354d0664b05bf412cb8a435fde13f9d88d');
INSERT INTO corpus_schema.response_items VALUES ('resp_18ecd197bc83a0203e1baf5df8284a86b0334dc3b9c29f56cd', 'output', 0, 'ws_ae1311855be43fc24855350c9c9f335dd6d487abb105a14747');
INSERT INTO corpus_schema.response_items VALUES ('resp_18ecd197bc83a0203e1baf5df8284a86b0334dc3b9c29f56cd', 'output', 1, 'ws_0bf5070515026667a15d362cae96bd54d1824de96bc9b4f9f4');
INSERT INTO corpus_schema.response_items VALUES ('resp_18ecd197bc83a0203e1baf5df8284a86b0334dc3b9c29f56cd', 'output', 2, 'msg_74b341ff923ac10e2a10dc1747d7de1f7531c3209a14749bff');
INSERT INTO corpus_schema.response_items VALUES ('resp_18ecd197e66aa3119bcd8a684cc3c6ab86ac2ca87d61b871db', 'input', 0, 'msg_98e8445fc8a460a2e078abca13bf51a84443553fa95ab5af5a');
INSERT INTO corpus_schema.response_items VALUES ('resp_18ecd1985f5c42a5b6b02fcc2eb4c68261dfb74ef97d05aed7', 'input', 0, 'msg_0155e8e80a07ac271cb3444cf78219a1221a7a6f5bb69028a2');
INSERT INTO corpus_schema.response_items VALUES ('resp_18ecd1986b57d0824347abe5a9107bc6294bee994864f2e46a', 'input', 0, 'msg_c45b7eed9aba5dd27fe3c51dae5918735e1a4a8dfe4dc9b77c');
INSERT INTO corpus_schema.response_items VALUES ('resp_18ecd198e3c2e37f2b7410272c3c561e42400961559915032f', 'input', 0, 'msg_c56373be4c1d2ff62d335caa39ef9aceb4ef5b3cf68efab41f');
INSERT INTO corpus_schema.response_items VALUES ('resp_18ecd1995c95c9c69a03f00caeb4413682391ca422844ba9ba', 'input', 0, 'msg_b7db8cbf6ff1ec22bfdc36e4615f8fc744a51ee0794c35955a');
INSERT INTO corpus_schema.response_items VALUES ('resp_18ecd199d456e9e466d2e8018e490e9faf3af1628b3f1a42af', 'input', 0, 'msg_0d12bd61f87a36917c6af6c1c1446ae37e9c5fb839c6874092');
INSERT INTO corpus_schema.responses VALUES ('resp_18ecd197bc83a0203e1baf5df8284a86b0334dc3b9c29f56cd', 'local', 1796040801.0477743, 1796040801, 'completed', 'up/m', NULL, NULL, NULL, 'durable', '{"id":"resp_18ecd197bc83a0203e1baf5df8284a86b0334dc3b9c29f56cd","object":"response","created_at":1796040801,"status":"completed","background":true,"completed_at":1796040801,"error":null,"frequency_penalty":0.0,"incomplete_details":null,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"model":"up/m","output":[],"parallel_tool_calls":true,"presence_penalty":0.0,"previous_response_id":null,"prompt_cache_key":null,"prompt_cache_retention":null,"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":"default","store":true,"temperature":1.0,"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[{"type":"web_search","search_context_size":"medium"}],"top_logprobs":0,"top_p":1.0,"truncation":"disabled","usage":{"input_tokens":36,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},"output_tokens":9,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":45},"user":null,"metadata":{}}', NULL);
INSERT INTO corpus_schema.responses VALUES ('resp_18ecd197e66aa3119bcd8a684cc3c6ab86ac2ca87d61b871db', 'local', 1796040801.7502258, NULL, 'in_progress', 'up/m', NULL, NULL, NULL, 'durable', '{"id":"resp_18ecd197e66aa3119bcd8a684cc3c6ab86ac2ca87d61b871db","object":"response","created_at":1796040801,"status":"in_progress","background":true,"completed_at":null,"error":null,"frequency_penalty":0.0,"incomplete_details":null,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"model":"up/m","output":[],"parallel_tool_calls":true,"presence_penalty":0.0,"previous_response_id":null,"prompt_cache_key":null,"prompt_cache_retention":null,"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":"auto","store":true,"temperature":1.0,"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[{"type":"web_search","search_context_size":"medium"}],"top_logprobs":0,"top_p":1.0,"truncation":"disabled","usage":null,"user":null,"metadata":{}}', NULL);
INSERT INTO corpus_schema.responses VALUES ('resp_18ecd1985f5c42a5b6b02fcc2eb4c68261dfb74ef97d05aed7', 'local', 1796040803.7794027, NULL, 'in_progress', 'up/m', NULL, NULL, NULL, 'durable', '{"id":"resp_18ecd1985f5c42a5b6b02fcc2eb4c68261dfb74ef97d05aed7","object":"response","created_at":1796040803,"status":"in_progress","background":true,"completed_at":null,"error":null,"frequency_penalty":0.0,"incomplete_details":null,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"model":"up/m","output":[],"parallel_tool_calls":true,"presence_penalty":0.0,"previous_response_id":null,"prompt_cache_key":null,"prompt_cache_retention":null,"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":"auto","store":true,"temperature":1.0,"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[{"type":"web_search","search_context_size":"medium"}],"top_logprobs":0,"top_p":1.0,"truncation":"disabled","usage":null,"user":null,"metadata":{}}', NULL);
INSERT INTO corpus_schema.responses VALUES ('resp_18ecd1995c95c9c69a03f00caeb4413682391ca422844ba9ba', 'local', 1796040808.0282114, NULL, 'in_progress', 'up/m', NULL, NULL, NULL, 'durable', '{"id":"resp_18ecd1995c95c9c69a03f00caeb4413682391ca422844ba9ba","object":"response","created_at":1796040808,"status":"in_progress","background":true,"completed_at":null,"error":null,"frequency_penalty":0.0,"incomplete_details":null,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"model":"up/m","output":[],"parallel_tool_calls":true,"presence_penalty":0.0,"previous_response_id":null,"prompt_cache_key":null,"prompt_cache_retention":null,"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":"auto","store":true,"temperature":1.0,"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[{"type":"web_search","search_context_size":"medium"}],"top_logprobs":0,"top_p":1.0,"truncation":"disabled","usage":null,"user":null,"metadata":{}}', NULL);
INSERT INTO corpus_schema.responses VALUES ('resp_18ecd199d456e9e466d2e8018e490e9faf3af1628b3f1a42af', 'local', 1796040810.0371687, NULL, 'queued', 'up/m', NULL, NULL, NULL, 'durable', '{"id":"resp_18ecd199d456e9e466d2e8018e490e9faf3af1628b3f1a42af","object":"response","created_at":1796040810,"status":"queued","background":true,"completed_at":null,"error":null,"frequency_penalty":0.0,"incomplete_details":null,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"model":"up/m","output":[],"parallel_tool_calls":true,"presence_penalty":0.0,"previous_response_id":null,"prompt_cache_key":null,"prompt_cache_retention":null,"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":"auto","store":true,"temperature":1.0,"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[{"type":"web_search","search_context_size":"medium"}],"top_logprobs":0,"top_p":1.0,"truncation":"disabled","usage":null,"user":null,"metadata":{}}', NULL);
INSERT INTO corpus_schema.responses VALUES ('resp_18ecd1986b57d0824347abe5a9107bc6294bee994864f2e46a', 'local', 1796040803.9804006, NULL, 'in_progress', 'up/m', NULL, 'conv_18ecd197bab677f8db742049bc9cfa3d2ee2e52265a2813a', 0, 'durable', '{"id":"resp_18ecd1986b57d0824347abe5a9107bc6294bee994864f2e46a","object":"response","created_at":1796040803,"status":"in_progress","background":true,"completed_at":null,"error":null,"frequency_penalty":0.0,"incomplete_details":null,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"model":"up/m","output":[],"parallel_tool_calls":true,"presence_penalty":0.0,"previous_response_id":null,"prompt_cache_key":null,"prompt_cache_retention":null,"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":"auto","store":true,"temperature":1.0,"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[{"type":"web_search","search_context_size":"medium"}],"top_logprobs":0,"top_p":1.0,"truncation":"disabled","usage":null,"user":null,"metadata":{},"conversation":{"id":"conv_18ecd197bab677f8db742049bc9cfa3d2ee2e52265a2813a"}}', NULL);
INSERT INTO corpus_schema.responses VALUES ('resp_18ecd198e3c2e37f2b7410272c3c561e42400961559915032f', 'local', 1796040806.0007424, NULL, 'in_progress', 'up/m', NULL, NULL, NULL, 'durable', '{"id":"resp_18ecd198e3c2e37f2b7410272c3c561e42400961559915032f","object":"response","created_at":1796040806,"status":"in_progress","background":true,"completed_at":null,"error":null,"frequency_penalty":0.0,"incomplete_details":null,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"model":"up/m","output":[],"parallel_tool_calls":true,"presence_penalty":0.0,"previous_response_id":null,"prompt_cache_key":null,"prompt_cache_retention":null,"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":"auto","store":true,"temperature":1.0,"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[{"type":"mcp","server_label":"notes","server_url":null,"server_description":null,"headers":null,"allowed_tools":null,"require_approval":"never"}],"top_logprobs":0,"top_p":1.0,"truncation":"disabled","usage":null,"user":null,"metadata":{}}', NULL);
INSERT INTO corpus_schema.run_events VALUES ('resp_18ecd197bc83a0203e1baf5df8284a86b0334dc3b9c29f56cd', 0, '{"type":"response.created","response":{"id":"resp_18ecd197bc83a0203e1baf5df8284a86b0334dc3b9c29f56cd","object":"response","created_at":1796040801,"status":"queued","background":true,"completed_at":null,"error":null,"frequency_penalty":0.0,"incomplete_details":null,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"model":"up/m","output":[],"parallel_tool_calls":true,"presence_penalty":0.0,"previous_response_id":null,"prompt_cache_key":null,"prompt_cache_retention":null,"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":"auto","store":true,"temperature":1.0,"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[{"type":"web_search","search_context_size":"medium"}],"top_logprobs":0,"top_p":1.0,"truncation":"disabled","usage":null,"user":null,"metadata":{}},"sequence_number":0}
{"type":"response.queued","response":{"id":"resp_18ecd197bc83a0203e1baf5df8284a86b0334dc3b9c29f56cd","object":"response","created_at":1796040801,"status":"queued","background":true,"completed_at":null,"error":null,"frequency_penalty":0.0,"incomplete_details":null,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"model":"up/m","output":[],"parallel_tool_calls":true,"presence_penalty":0.0,"previous_response_id":null,"prompt_cache_key":null,"prompt_cache_retention":null,"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":"auto","store":true,"temperature":1.0,"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[{"type":"web_search","search_context_size":"medium"}],"top_logprobs":0,"top_p":1.0,"truncation":"disabled","usage":null,"user":null,"metadata":{}},"sequence_number":1}');
INSERT INTO corpus_schema.run_events VALUES ('resp_18ecd197bc83a0203e1baf5df8284a86b0334dc3b9c29f56cd', 2, '{"type":"response.in_progress","response":{"id":"resp_18ecd197bc83a0203e1baf5df8284a86b0334dc3b9c29f56cd","object":"response","created_at":1796040801,"status":"in_progress","background":true,"completed_at":null,"error":null,"frequency_penalty":0.0,"incomplete_details":null,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"model":"up/m","output":[],"parallel_tool_calls":true,"presence_penalty":0.0,"previous_response_id":null,"prompt_cache_key":null,"prompt_cache_retention":null,"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":"auto","store":true,"temperature":1.0,"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[{"type":"web_search","search_context_size":"medium"}],"top_logprobs":0,"top_p":1.0,"truncation":"disabled","usage":null,"user":null,"metadata":{}},"sequence_number":2}');
INSERT INTO corpus_schema.run_events VALUES ('resp_18ecd197bc83a0203e1baf5df8284a86b0334dc3b9c29f56cd', 3, '{"type":"response.output_item.added","output_index":0,"item":{"type":"web_search_call","id":"ws_ae1311855be43fc24855350c9c9f335dd6d487abb105a14747","status":"in_progress"},"sequence_number":3}
{"type":"response.web_search_call.in_progress","item_id":"ws_ae1311855be43fc24855350c9c9f335dd6d487abb105a14747","output_index":0,"sequence_number":4}
{"type":"response.web_search_call.searching","item_id":"ws_ae1311855be43fc24855350c9c9f335dd6d487abb105a14747","output_index":0,"sequence_number":5}');
INSERT INTO corpus_schema.run_events VALUES ('resp_18ecd197bc83a0203e1baf5df8284a86b0334dc3b9c29f56cd', 6, '{"type":"response.web_search_call.completed","item_id":"ws_ae1311855be43fc24855350c9c9f335dd6d487abb105a14747","output_index":0,"sequence_number":6}
{"type":"response.output_item.done","output_index":0,"item":{"type":"web_search_call","id":"ws_ae1311855be43fc24855350c9c9f335dd6d487abb105a14747","status":"completed","action":{"type":"search","query":"first","queries":["first"]}},"sequence_number":7}');
INSERT INTO corpus_schema.run_events VALUES ('resp_18ecd197bc83a0203e1baf5df8284a86b0334dc3b9c29f56cd', 8, '{"type":"response.output_item.added","output_index":1,"item":{"type":"web_search_call","id":"ws_0bf5070515026667a15d362cae96bd54d1824de96bc9b4f9f4","status":"in_progress"},"sequence_number":8}
{"type":"response.web_search_call.in_progress","item_id":"ws_0bf5070515026667a15d362cae96bd54d1824de96bc9b4f9f4","output_index":1,"sequence_number":9}
{"type":"response.web_search_call.searching","item_id":"ws_0bf5070515026667a15d362cae96bd54d1824de96bc9b4f9f4","output_index":1,"sequence_number":10}');
INSERT INTO corpus_schema.run_events VALUES ('resp_18ecd197bc83a0203e1baf5df8284a86b0334dc3b9c29f56cd', 11, '{"type":"response.web_search_call.completed","item_id":"ws_0bf5070515026667a15d362cae96bd54d1824de96bc9b4f9f4","output_index":1,"sequence_number":11}
{"type":"response.output_item.done","output_index":1,"item":{"type":"web_search_call","id":"ws_0bf5070515026667a15d362cae96bd54d1824de96bc9b4f9f4","status":"completed","action":{"type":"search","query":"second","queries":["second"]}},"sequence_number":12}');
INSERT INTO corpus_schema.run_events VALUES ('resp_18ecd197bc83a0203e1baf5df8284a86b0334dc3b9c29f56cd', 13, '{"type":"response.output_item.added","output_index":2,"item":{"type":"message","id":"msg_74b341ff923ac10e2a10dc1747d7de1f7531c3209a14749bff","status":"in_progress","content":[],"role":"assistant"},"sequence_number":13}
{"type":"response.content_part.added","item_id":"msg_74b341ff923ac10e2a10dc1747d7de1f7531c3209a14749bff","output_index":2,"content_index":0,"part":{"type":"output_text","annotations":[],"logprobs":[],"text":""},"sequence_number":14}
{"type":"response.output_text.delta","item_id":"msg_74b341ff923ac10e2a10dc1747d7de1f7531c3209a14749bff","output_index":2,"content_index":0,"delta":"word0 ","logprobs":[],"sequence_number":15}
{"type":"response.output_text.delta","item_id":"msg_74b341ff923ac10e2a10dc1747d7de1f7531c3209a14749bff","output_index":2,"content_index":0,"delta":"word1 ","logprobs":[],"sequence_number":16}
{"type":"response.output_text.delta","item_id":"msg_74b341ff923ac10e2a10dc1747d7de1f7531c3209a14749bff","output_index":2,"content_index":0,"delta":"word2 ","logprobs":[],"sequence_number":17}
{"type":"response.output_text.delta","item_id":"msg_74b341ff923ac10e2a10dc1747d7de1f7531c3209a14749bff","output_index":2,"content_index":0,"delta":"word3 ","logprobs":[],"sequence_number":18}
{"type":"response.output_text.delta","item_id":"msg_74b341ff923ac10e2a10dc1747d7de1f7531c3209a14749bff","output_index":2,"content_index":0,"delta":"word4 ","logprobs":[],"sequence_number":19}
{"type":"response.output_text.delta","item_id":"msg_74b341ff923ac10e2a10dc1747d7de1f7531c3209a14749bff","output_index":2,"content_index":0,"delta":"word5 ","logprobs":[],"sequence_number":20}
{"type":"response.output_text.delta","item_id":"msg_74b341ff923ac10e2a10dc1747d7de1f7531c3209a14749bff","output_index":2,"content_index":0,"delta":"word6 ","logprobs":[],"sequence_number":21}
{"type":"response.output_text.delta","item_id":"msg_74b341ff923ac10e2a10dc1747d7de1f7531c3209a14749bff","output_index":2,"content_index":0,"delta":"word7 ","logprobs":[],"sequence_number":22}
{"type":"response.output_text.delta","item_id":"msg_74b341ff923ac10e2a10dc1747d7de1f7531c3209a14749bff","output_index":2,"content_index":0,"delta":"word8 ","logprobs":[],"sequence_number":23}
{"type":"response.output_text.delta","item_id":"msg_74b341ff923ac10e2a10dc1747d7de1f7531c3209a14749bff","output_index":2,"content_index":0,"delta":"word9 ","logprobs":[],"sequence_number":24}
{"type":"response.output_text.delta","item_id":"msg_74b341ff923ac10e2a10dc1747d7de1f7531c3209a14749bff","output_index":2,"content_index":0,"delta":"word10 ","logprobs":[],"sequence_number":25}
{"type":"response.output_text.delta","item_id":"msg_74b341ff923ac10e2a10dc1747d7de1f7531c3209a14749bff","output_index":2,"content_index":0,"delta":"word11 ","logprobs":[],"sequence_number":26}');
INSERT INTO corpus_schema.run_events VALUES ('resp_18ecd197bc83a0203e1baf5df8284a86b0334dc3b9c29f56cd', 27, '{"type":"response.output_text.done","item_id":"msg_74b341ff923ac10e2a10dc1747d7de1f7531c3209a14749bff","output_index":2,"content_index":0,"text":"word0 word1 word2 word3 word4 word5 word6 word7 word8 word9 word10 word11 ","logprobs":[],"sequence_number":27}
{"type":"response.content_part.done","item_id":"msg_74b341ff923ac10e2a10dc1747d7de1f7531c3209a14749bff","output_index":2,"content_index":0,"part":{"type":"output_text","annotations":[],"logprobs":[],"text":"word0 word1 word2 word3 word4 word5 word6 word7 word8 word9 word10 word11 "},"sequence_number":28}
{"type":"response.output_item.done","output_index":2,"item":{"type":"message","id":"msg_74b341ff923ac10e2a10dc1747d7de1f7531c3209a14749bff","status":"completed","content":[{"type":"output_text","annotations":[],"logprobs":[],"text":"word0 word1 word2 word3 word4 word5 word6 word7 word8 word9 word10 word11 "}],"role":"assistant"},"sequence_number":29}
{"type":"response.completed","response":{"id":"resp_18ecd197bc83a0203e1baf5df8284a86b0334dc3b9c29f56cd","object":"response","created_at":1796040801,"status":"completed","background":true,"completed_at":1796040801,"error":null,"frequency_penalty":0.0,"incomplete_details":null,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"model":"up/m","output":[{"type":"web_search_call","id":"ws_ae1311855be43fc24855350c9c9f335dd6d487abb105a14747","status":"completed","action":{"type":"search","query":"first","queries":["first"]}},{"type":"web_search_call","id":"ws_0bf5070515026667a15d362cae96bd54d1824de96bc9b4f9f4","status":"completed","action":{"type":"search","query":"second","queries":["second"]}},{"type":"message","id":"msg_74b341ff923ac10e2a10dc1747d7de1f7531c3209a14749bff","status":"completed","content":[{"type":"output_text","annotations":[],"logprobs":[],"text":"word0 word1 word2 word3 word4 word5 word6 word7 word8 word9 word10 word11 "}],"role":"assistant"}],"parallel_tool_calls":true,"presence_penalty":0.0,"previous_response_id":null,"prompt_cache_key":null,"prompt_cache_retention":null,"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":"default","store":true,"temperature":1.0,"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[{"type":"web_search","search_context_size":"medium"}],"top_logprobs":0,"top_p":1.0,"truncation":"disabled","usage":{"input_tokens":36,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},"output_tokens":9,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":45},"user":null,"metadata":{}},"sequence_number":30}');
INSERT INTO corpus_schema.run_events VALUES ('resp_18ecd1986b57d0824347abe5a9107bc6294bee994864f2e46a', 2, '{"type":"response.in_progress","response":{"id":"resp_18ecd1986b57d0824347abe5a9107bc6294bee994864f2e46a","object":"response","created_at":1796040803,"status":"in_progress","background":true,"completed_at":null,"error":null,"frequency_penalty":0.0,"incomplete_details":null,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"model":"up/m","output":[],"parallel_tool_calls":true,"presence_penalty":0.0,"previous_response_id":null,"prompt_cache_key":null,"prompt_cache_retention":null,"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":"auto","store":true,"temperature":1.0,"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[{"type":"web_search","search_context_size":"medium"}],"top_logprobs":0,"top_p":1.0,"truncation":"disabled","usage":null,"user":null,"metadata":{},"conversation":{"id":"conv_18ecd197bab677f8db742049bc9cfa3d2ee2e52265a2813a"}},"sequence_number":2}');
INSERT INTO corpus_schema.run_events VALUES ('resp_18ecd197e66aa3119bcd8a684cc3c6ab86ac2ca87d61b871db', 0, '{"type":"response.created","response":{"id":"resp_18ecd197e66aa3119bcd8a684cc3c6ab86ac2ca87d61b871db","object":"response","created_at":1796040801,"status":"queued","background":true,"completed_at":null,"error":null,"frequency_penalty":0.0,"incomplete_details":null,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"model":"up/m","output":[],"parallel_tool_calls":true,"presence_penalty":0.0,"previous_response_id":null,"prompt_cache_key":null,"prompt_cache_retention":null,"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":"auto","store":true,"temperature":1.0,"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[{"type":"web_search","search_context_size":"medium"}],"top_logprobs":0,"top_p":1.0,"truncation":"disabled","usage":null,"user":null,"metadata":{}},"sequence_number":0}
{"type":"response.queued","response":{"id":"resp_18ecd197e66aa3119bcd8a684cc3c6ab86ac2ca87d61b871db","object":"response","created_at":1796040801,"status":"queued","background":true,"completed_at":null,"error":null,"frequency_penalty":0.0,"incomplete_details":null,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"model":"up/m","output":[],"parallel_tool_calls":true,"presence_penalty":0.0,"previous_response_id":null,"prompt_cache_key":null,"prompt_cache_retention":null,"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":"auto","store":true,"temperature":1.0,"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[{"type":"web_search","search_context_size":"medium"}],"top_logprobs":0,"top_p":1.0,"truncation":"disabled","usage":null,"user":null,"metadata":{}},"sequence_number":1}');
INSERT INTO corpus_schema.run_events VALUES ('resp_18ecd197e66aa3119bcd8a684cc3c6ab86ac2ca87d61b871db', 2, '{"type":"response.in_progress","response":{"id":"resp_18ecd197e66aa3119bcd8a684cc3c6ab86ac2ca87d61b871db","object":"response","created_at":1796040801,"status":"in_progress","background":true,"completed_at":null,"error":null,"frequency_penalty":0.0,"incomplete_details":null,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"model":"up/m","output":[],"parallel_tool_calls":true,"presence_penalty":0.0,"previous_response_id":null,"prompt_cache_key":null,"prompt_cache_retention":null,"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":"auto","store":true,"temperature":1.0,"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[{"type":"web_search","search_context_size":"medium"}],"top_logprobs":0,"top_p":1.0,"truncation":"disabled","usage":null,"user":null,"metadata":{}},"sequence_number":2}');
INSERT INTO corpus_schema.run_events VALUES ('resp_18ecd1985f5c42a5b6b02fcc2eb4c68261dfb74ef97d05aed7', 0, '{"type":"response.created","response":{"id":"resp_18ecd1985f5c42a5b6b02fcc2eb4c68261dfb74ef97d05aed7","object":"response","created_at":1796040803,"status":"queued","background":true,"completed_at":null,"error":null,"frequency_penalty":0.0,"incomplete_details":null,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"model":"up/m","output":[],"parallel_tool_calls":true,"presence_penalty":0.0,"previous_response_id":null,"prompt_cache_key":null,"prompt_cache_retention":null,"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":"auto","store":true,"temperature":1.0,"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[{"type":"web_search","search_context_size":"medium"}],"top_logprobs":0,"top_p":1.0,"truncation":"disabled","usage":null,"user":null,"metadata":{}},"sequence_number":0}
{"type":"response.queued","response":{"id":"resp_18ecd1985f5c42a5b6b02fcc2eb4c68261dfb74ef97d05aed7","object":"response","created_at":1796040803,"status":"queued","background":true,"completed_at":null,"error":null,"frequency_penalty":0.0,"incomplete_details":null,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"model":"up/m","output":[],"parallel_tool_calls":true,"presence_penalty":0.0,"previous_response_id":null,"prompt_cache_key":null,"prompt_cache_retention":null,"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":"auto","store":true,"temperature":1.0,"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[{"type":"web_search","search_context_size":"medium"}],"top_logprobs":0,"top_p":1.0,"truncation":"disabled","usage":null,"user":null,"metadata":{}},"sequence_number":1}');
INSERT INTO corpus_schema.run_events VALUES ('resp_18ecd1985f5c42a5b6b02fcc2eb4c68261dfb74ef97d05aed7', 2, '{"type":"response.in_progress","response":{"id":"resp_18ecd1985f5c42a5b6b02fcc2eb4c68261dfb74ef97d05aed7","object":"response","created_at":1796040803,"status":"in_progress","background":true,"completed_at":null,"error":null,"frequency_penalty":0.0,"incomplete_details":null,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"model":"up/m","output":[],"parallel_tool_calls":true,"presence_penalty":0.0,"previous_response_id":null,"prompt_cache_key":null,"prompt_cache_retention":null,"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":"auto","store":true,"temperature":1.0,"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[{"type":"web_search","search_context_size":"medium"}],"top_logprobs":0,"top_p":1.0,"truncation":"disabled","usage":null,"user":null,"metadata":{}},"sequence_number":2}');
INSERT INTO corpus_schema.run_events VALUES ('resp_18ecd1985f5c42a5b6b02fcc2eb4c68261dfb74ef97d05aed7', 3, '{"type":"response.output_item.added","output_index":0,"item":{"type":"web_search_call","id":"ws_71fbbec9120e0a502fc7da44e526fdc1a3fd8bd122be456bac","status":"in_progress"},"sequence_number":3}
{"type":"response.web_search_call.in_progress","item_id":"ws_71fbbec9120e0a502fc7da44e526fdc1a3fd8bd122be456bac","output_index":0,"sequence_number":4}
{"type":"response.web_search_call.searching","item_id":"ws_71fbbec9120e0a502fc7da44e526fdc1a3fd8bd122be456bac","output_index":0,"sequence_number":5}');
INSERT INTO corpus_schema.run_events VALUES ('resp_18ecd1985f5c42a5b6b02fcc2eb4c68261dfb74ef97d05aed7', 6, '{"type":"response.web_search_call.completed","item_id":"ws_71fbbec9120e0a502fc7da44e526fdc1a3fd8bd122be456bac","output_index":0,"sequence_number":6}
{"type":"response.output_item.done","output_index":0,"item":{"type":"web_search_call","id":"ws_71fbbec9120e0a502fc7da44e526fdc1a3fd8bd122be456bac","status":"completed","action":{"type":"search","query":"first","queries":["first"]}},"sequence_number":7}');
INSERT INTO corpus_schema.run_events VALUES ('resp_18ecd1985f5c42a5b6b02fcc2eb4c68261dfb74ef97d05aed7', 8, '{"type":"response.output_item.added","output_index":1,"item":{"type":"web_search_call","id":"ws_21fba15eddbd9be2f6085a0c89b829e37c7f858f29e27254b9","status":"in_progress"},"sequence_number":8}
{"type":"response.web_search_call.in_progress","item_id":"ws_21fba15eddbd9be2f6085a0c89b829e37c7f858f29e27254b9","output_index":1,"sequence_number":9}
{"type":"response.web_search_call.searching","item_id":"ws_21fba15eddbd9be2f6085a0c89b829e37c7f858f29e27254b9","output_index":1,"sequence_number":10}');
INSERT INTO corpus_schema.run_events VALUES ('resp_18ecd1985f5c42a5b6b02fcc2eb4c68261dfb74ef97d05aed7', 11, '{"type":"response.web_search_call.completed","item_id":"ws_21fba15eddbd9be2f6085a0c89b829e37c7f858f29e27254b9","output_index":1,"sequence_number":11}
{"type":"response.output_item.done","output_index":1,"item":{"type":"web_search_call","id":"ws_21fba15eddbd9be2f6085a0c89b829e37c7f858f29e27254b9","status":"completed","action":{"type":"search","query":"second","queries":["second"]}},"sequence_number":12}');
INSERT INTO corpus_schema.run_events VALUES ('resp_18ecd1985f5c42a5b6b02fcc2eb4c68261dfb74ef97d05aed7', 13, '{"type":"response.output_item.added","output_index":2,"item":{"type":"message","id":"msg_f1b6cb3216179db7593a012a6e1ab9c392975444e88b5718d4","status":"in_progress","content":[],"role":"assistant"},"sequence_number":13}
{"type":"response.content_part.added","item_id":"msg_f1b6cb3216179db7593a012a6e1ab9c392975444e88b5718d4","output_index":2,"content_index":0,"part":{"type":"output_text","annotations":[],"logprobs":[],"text":""},"sequence_number":14}
{"type":"response.output_text.delta","item_id":"msg_f1b6cb3216179db7593a012a6e1ab9c392975444e88b5718d4","output_index":2,"content_index":0,"delta":"word0 ","logprobs":[],"sequence_number":15}
{"type":"response.output_text.delta","item_id":"msg_f1b6cb3216179db7593a012a6e1ab9c392975444e88b5718d4","output_index":2,"content_index":0,"delta":"word1 ","logprobs":[],"sequence_number":16}
{"type":"response.output_text.delta","item_id":"msg_f1b6cb3216179db7593a012a6e1ab9c392975444e88b5718d4","output_index":2,"content_index":0,"delta":"word2 ","logprobs":[],"sequence_number":17}
{"type":"response.output_text.delta","item_id":"msg_f1b6cb3216179db7593a012a6e1ab9c392975444e88b5718d4","output_index":2,"content_index":0,"delta":"word3 ","logprobs":[],"sequence_number":18}
{"type":"response.output_text.delta","item_id":"msg_f1b6cb3216179db7593a012a6e1ab9c392975444e88b5718d4","output_index":2,"content_index":0,"delta":"word4 ","logprobs":[],"sequence_number":19}');
INSERT INTO corpus_schema.run_events VALUES ('resp_18ecd1986b57d0824347abe5a9107bc6294bee994864f2e46a', 0, '{"type":"response.created","response":{"id":"resp_18ecd1986b57d0824347abe5a9107bc6294bee994864f2e46a","object":"response","created_at":1796040803,"status":"queued","background":true,"completed_at":null,"error":null,"frequency_penalty":0.0,"incomplete_details":null,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"model":"up/m","output":[],"parallel_tool_calls":true,"presence_penalty":0.0,"previous_response_id":null,"prompt_cache_key":null,"prompt_cache_retention":null,"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":"auto","store":true,"temperature":1.0,"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[{"type":"web_search","search_context_size":"medium"}],"top_logprobs":0,"top_p":1.0,"truncation":"disabled","usage":null,"user":null,"metadata":{},"conversation":{"id":"conv_18ecd197bab677f8db742049bc9cfa3d2ee2e52265a2813a"}},"sequence_number":0}
{"type":"response.queued","response":{"id":"resp_18ecd1986b57d0824347abe5a9107bc6294bee994864f2e46a","object":"response","created_at":1796040803,"status":"queued","background":true,"completed_at":null,"error":null,"frequency_penalty":0.0,"incomplete_details":null,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"model":"up/m","output":[],"parallel_tool_calls":true,"presence_penalty":0.0,"previous_response_id":null,"prompt_cache_key":null,"prompt_cache_retention":null,"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":"auto","store":true,"temperature":1.0,"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[{"type":"web_search","search_context_size":"medium"}],"top_logprobs":0,"top_p":1.0,"truncation":"disabled","usage":null,"user":null,"metadata":{},"conversation":{"id":"conv_18ecd197bab677f8db742049bc9cfa3d2ee2e52265a2813a"}},"sequence_number":1}');
INSERT INTO corpus_schema.run_events VALUES ('resp_18ecd1986b57d0824347abe5a9107bc6294bee994864f2e46a', 6, '{"type":"response.web_search_call.completed","item_id":"ws_2fb590fc75576df910921dc4a52eb2824b29fb75448c0c3eaf","output_index":0,"sequence_number":6}
{"type":"response.output_item.done","output_index":0,"item":{"type":"web_search_call","id":"ws_2fb590fc75576df910921dc4a52eb2824b29fb75448c0c3eaf","status":"completed","action":{"type":"search","query":"first","queries":["first"]}},"sequence_number":7}');
INSERT INTO corpus_schema.run_events VALUES ('resp_18ecd198e3c2e37f2b7410272c3c561e42400961559915032f', 2, '{"type":"response.in_progress","response":{"id":"resp_18ecd198e3c2e37f2b7410272c3c561e42400961559915032f","object":"response","created_at":1796040806,"status":"in_progress","background":true,"completed_at":null,"error":null,"frequency_penalty":0.0,"incomplete_details":null,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"model":"up/m","output":[],"parallel_tool_calls":true,"presence_penalty":0.0,"previous_response_id":null,"prompt_cache_key":null,"prompt_cache_retention":null,"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":"auto","store":true,"temperature":1.0,"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[{"type":"mcp","server_label":"notes","server_url":null,"server_description":null,"headers":null,"allowed_tools":null,"require_approval":"never"}],"top_logprobs":0,"top_p":1.0,"truncation":"disabled","usage":null,"user":null,"metadata":{}},"sequence_number":2}
{"type":"response.output_item.added","output_index":0,"item":{"type":"mcp_list_tools","id":"mcpl_ec3276af9900e1eca890b336a000350bf48277bfe993ea6abc","server_label":"notes","tools":[]},"sequence_number":3}
{"type":"response.mcp_list_tools.in_progress","item_id":"mcpl_ec3276af9900e1eca890b336a000350bf48277bfe993ea6abc","output_index":0,"sequence_number":4}');
INSERT INTO corpus_schema.run_events VALUES ('resp_18ecd1995c95c9c69a03f00caeb4413682391ca422844ba9ba', 0, '{"type":"response.created","response":{"id":"resp_18ecd1995c95c9c69a03f00caeb4413682391ca422844ba9ba","object":"response","created_at":1796040808,"status":"queued","background":true,"completed_at":null,"error":null,"frequency_penalty":0.0,"incomplete_details":null,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"model":"up/m","output":[],"parallel_tool_calls":true,"presence_penalty":0.0,"previous_response_id":null,"prompt_cache_key":null,"prompt_cache_retention":null,"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":"auto","store":true,"temperature":1.0,"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[{"type":"web_search","search_context_size":"medium"}],"top_logprobs":0,"top_p":1.0,"truncation":"disabled","usage":null,"user":null,"metadata":{}},"sequence_number":0}
{"type":"response.queued","response":{"id":"resp_18ecd1995c95c9c69a03f00caeb4413682391ca422844ba9ba","object":"response","created_at":1796040808,"status":"queued","background":true,"completed_at":null,"error":null,"frequency_penalty":0.0,"incomplete_details":null,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"model":"up/m","output":[],"parallel_tool_calls":true,"presence_penalty":0.0,"previous_response_id":null,"prompt_cache_key":null,"prompt_cache_retention":null,"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":"auto","store":true,"temperature":1.0,"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[{"type":"web_search","search_context_size":"medium"}],"top_logprobs":0,"top_p":1.0,"truncation":"disabled","usage":null,"user":null,"metadata":{}},"sequence_number":1}');
INSERT INTO corpus_schema.run_events VALUES ('resp_18ecd1986b57d0824347abe5a9107bc6294bee994864f2e46a', 3, '{"type":"response.output_item.added","output_index":0,"item":{"type":"web_search_call","id":"ws_2fb590fc75576df910921dc4a52eb2824b29fb75448c0c3eaf","status":"in_progress"},"sequence_number":3}
{"type":"response.web_search_call.in_progress","item_id":"ws_2fb590fc75576df910921dc4a52eb2824b29fb75448c0c3eaf","output_index":0,"sequence_number":4}
{"type":"response.web_search_call.searching","item_id":"ws_2fb590fc75576df910921dc4a52eb2824b29fb75448c0c3eaf","output_index":0,"sequence_number":5}');
INSERT INTO corpus_schema.run_events VALUES ('resp_18ecd1995c95c9c69a03f00caeb4413682391ca422844ba9ba', 6, '{"type":"response.web_search_call.completed","item_id":"ws_2f935f5d667061fb18e2f620c872c57609954d61c1baeed14e","output_index":0,"sequence_number":6}
{"type":"response.output_item.done","output_index":0,"item":{"type":"web_search_call","id":"ws_2f935f5d667061fb18e2f620c872c57609954d61c1baeed14e","status":"completed","action":{"type":"search","query":"first","queries":["first"]}},"sequence_number":7}');
INSERT INTO corpus_schema.run_events VALUES ('resp_18ecd199d456e9e466d2e8018e490e9faf3af1628b3f1a42af', 0, '{"type":"response.created","response":{"id":"resp_18ecd199d456e9e466d2e8018e490e9faf3af1628b3f1a42af","object":"response","created_at":1796040810,"status":"queued","background":true,"completed_at":null,"error":null,"frequency_penalty":0.0,"incomplete_details":null,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"model":"up/m","output":[],"parallel_tool_calls":true,"presence_penalty":0.0,"previous_response_id":null,"prompt_cache_key":null,"prompt_cache_retention":null,"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":"auto","store":true,"temperature":1.0,"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[{"type":"web_search","search_context_size":"medium"}],"top_logprobs":0,"top_p":1.0,"truncation":"disabled","usage":null,"user":null,"metadata":{}},"sequence_number":0}
{"type":"response.queued","response":{"id":"resp_18ecd199d456e9e466d2e8018e490e9faf3af1628b3f1a42af","object":"response","created_at":1796040810,"status":"queued","background":true,"completed_at":null,"error":null,"frequency_penalty":0.0,"incomplete_details":null,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"model":"up/m","output":[],"parallel_tool_calls":true,"presence_penalty":0.0,"previous_response_id":null,"prompt_cache_key":null,"prompt_cache_retention":null,"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":"auto","store":true,"temperature":1.0,"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[{"type":"web_search","search_context_size":"medium"}],"top_logprobs":0,"top_p":1.0,"truncation":"disabled","usage":null,"user":null,"metadata":{}},"sequence_number":1}');
INSERT INTO corpus_schema.run_events VALUES ('resp_18ecd198e3c2e37f2b7410272c3c561e42400961559915032f', 5, '{"type":"response.mcp_list_tools.completed","item_id":"mcpl_ec3276af9900e1eca890b336a000350bf48277bfe993ea6abc","output_index":0,"sequence_number":5}
{"type":"response.output_item.done","output_index":0,"item":{"type":"mcp_list_tools","id":"mcpl_ec3276af9900e1eca890b336a000350bf48277bfe993ea6abc","server_label":"notes","tools":[{"annotations":{"read_only":false},"description":"","input_schema":{"properties":{"url":{"title":"Url","type":"string"}},"required":["url"],"type":"object","title":"greet_everyoneArguments"},"name":"greet_everyone"}]},"sequence_number":6}');
INSERT INTO corpus_schema.run_events VALUES ('resp_18ecd198e3c2e37f2b7410272c3c561e42400961559915032f', 0, '{"type":"response.created","response":{"id":"resp_18ecd198e3c2e37f2b7410272c3c561e42400961559915032f","object":"response","created_at":1796040806,"status":"queued","background":true,"completed_at":null,"error":null,"frequency_penalty":0.0,"incomplete_details":null,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"model":"up/m","output":[],"parallel_tool_calls":true,"presence_penalty":0.0,"previous_response_id":null,"prompt_cache_key":null,"prompt_cache_retention":null,"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":"auto","store":true,"temperature":1.0,"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[{"type":"mcp","server_label":"notes","server_url":null,"server_description":null,"headers":null,"allowed_tools":null,"require_approval":"never"}],"top_logprobs":0,"top_p":1.0,"truncation":"disabled","usage":null,"user":null,"metadata":{}},"sequence_number":0}
{"type":"response.queued","response":{"id":"resp_18ecd198e3c2e37f2b7410272c3c561e42400961559915032f","object":"response","created_at":1796040806,"status":"queued","background":true,"completed_at":null,"error":null,"frequency_penalty":0.0,"incomplete_details":null,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"model":"up/m","output":[],"parallel_tool_calls":true,"presence_penalty":0.0,"previous_response_id":null,"prompt_cache_key":null,"prompt_cache_retention":null,"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":"auto","store":true,"temperature":1.0,"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[{"type":"mcp","server_label":"notes","server_url":null,"server_description":null,"headers":null,"allowed_tools":null,"require_approval":"never"}],"top_logprobs":0,"top_p":1.0,"truncation":"disabled","usage":null,"user":null,"metadata":{}},"sequence_number":1}');
INSERT INTO corpus_schema.run_events VALUES ('resp_18ecd1995c95c9c69a03f00caeb4413682391ca422844ba9ba', 11, '{"type":"response.web_search_call.completed","item_id":"ws_806911398fde373aadea527d4f9388205e01589d7724f1d899","output_index":1,"sequence_number":11}
{"type":"response.output_item.done","output_index":1,"item":{"type":"web_search_call","id":"ws_806911398fde373aadea527d4f9388205e01589d7724f1d899","status":"completed","action":{"type":"search","query":"second","queries":["second"]}},"sequence_number":12}');
INSERT INTO corpus_schema.run_events VALUES ('resp_18ecd1995c95c9c69a03f00caeb4413682391ca422844ba9ba', 2, '{"type":"response.in_progress","response":{"id":"resp_18ecd1995c95c9c69a03f00caeb4413682391ca422844ba9ba","object":"response","created_at":1796040808,"status":"in_progress","background":true,"completed_at":null,"error":null,"frequency_penalty":0.0,"incomplete_details":null,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"model":"up/m","output":[],"parallel_tool_calls":true,"presence_penalty":0.0,"previous_response_id":null,"prompt_cache_key":null,"prompt_cache_retention":null,"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":"auto","store":true,"temperature":1.0,"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[{"type":"web_search","search_context_size":"medium"}],"top_logprobs":0,"top_p":1.0,"truncation":"disabled","usage":null,"user":null,"metadata":{}},"sequence_number":2}');
INSERT INTO corpus_schema.run_events VALUES ('resp_18ecd1995c95c9c69a03f00caeb4413682391ca422844ba9ba', 8, '{"type":"response.output_item.added","output_index":1,"item":{"type":"web_search_call","id":"ws_806911398fde373aadea527d4f9388205e01589d7724f1d899","status":"in_progress"},"sequence_number":8}
{"type":"response.web_search_call.in_progress","item_id":"ws_806911398fde373aadea527d4f9388205e01589d7724f1d899","output_index":1,"sequence_number":9}
{"type":"response.web_search_call.searching","item_id":"ws_806911398fde373aadea527d4f9388205e01589d7724f1d899","output_index":1,"sequence_number":10}');
INSERT INTO corpus_schema.run_events VALUES ('resp_18ecd198e3c2e37f2b7410272c3c561e42400961559915032f', 7, '{"type":"response.output_item.added","output_index":1,"item":{"type":"mcp_call","id":"mcp_849a4bd7f630c394692bf0c45494badab0975961f950412524","status":"in_progress","approval_request_id":null,"arguments":"","error":null,"name":"greet_everyone","output":null,"server_label":"notes"},"sequence_number":7}
{"type":"response.mcp_call.in_progress","item_id":"mcp_849a4bd7f630c394692bf0c45494badab0975961f950412524","output_index":1,"sequence_number":8}
{"type":"response.mcp_call_arguments.delta","item_id":"mcp_849a4bd7f630c394692bf0c45494badab0975961f950412524","output_index":1,"delta":"{\"url\": \"https://example.com\"}","sequence_number":9}
{"type":"response.mcp_call_arguments.done","item_id":"mcp_849a4bd7f630c394692bf0c45494badab0975961f950412524","output_index":1,"arguments":"{\"url\": \"https://example.com\"}","sequence_number":10}');
INSERT INTO corpus_schema.run_events VALUES ('resp_18ecd1995c95c9c69a03f00caeb4413682391ca422844ba9ba', 3, '{"type":"response.output_item.added","output_index":0,"item":{"type":"web_search_call","id":"ws_2f935f5d667061fb18e2f620c872c57609954d61c1baeed14e","status":"in_progress"},"sequence_number":3}
{"type":"response.web_search_call.in_progress","item_id":"ws_2f935f5d667061fb18e2f620c872c57609954d61c1baeed14e","output_index":0,"sequence_number":4}
{"type":"response.web_search_call.searching","item_id":"ws_2f935f5d667061fb18e2f620c872c57609954d61c1baeed14e","output_index":0,"sequence_number":5}');
INSERT INTO corpus_schema.run_events VALUES ('resp_18ecd1995c95c9c69a03f00caeb4413682391ca422844ba9ba', 13, '{"type":"response.output_item.added","output_index":2,"item":{"type":"message","id":"msg_a5104c521598bc439615c516ccc042115a6d293e4e5686dcff","status":"in_progress","content":[],"role":"assistant"},"sequence_number":13}
{"type":"response.content_part.added","item_id":"msg_a5104c521598bc439615c516ccc042115a6d293e4e5686dcff","output_index":2,"content_index":0,"part":{"type":"output_text","annotations":[],"logprobs":[],"text":""},"sequence_number":14}
{"type":"response.output_text.delta","item_id":"msg_a5104c521598bc439615c516ccc042115a6d293e4e5686dcff","output_index":2,"content_index":0,"delta":"word0 ","logprobs":[],"sequence_number":15}
{"type":"response.output_text.delta","item_id":"msg_a5104c521598bc439615c516ccc042115a6d293e4e5686dcff","output_index":2,"content_index":0,"delta":"word1 ","logprobs":[],"sequence_number":16}
{"type":"response.output_text.delta","item_id":"msg_a5104c521598bc439615c516ccc042115a6d293e4e5686dcff","output_index":2,"content_index":0,"delta":"word2 ","logprobs":[],"sequence_number":17}');
INSERT INTO corpus_schema.run_steps VALUES ('resp_18ecd1985f5c42a5b6b02fcc2eb4c68261dfb74ef97d05aed7', 'model:0', '[{"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "call_0", "type": "function", "function": {"name": "web_search", "arguments": ""}}]}, "finish_reason": null}]},{"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": "{\"query\": \"first\"}"}}]}, "finish_reason": null}]},{"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},{"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [], "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}}]');
INSERT INTO corpus_schema.run_steps VALUES ('resp_18ecd1985f5c42a5b6b02fcc2eb4c68261dfb74ef97d05aed7', 'tool:tavily.web_search:72fb1a2e3c0b6ea6:1', '{"result":{"query":"first","top_k":[{"url":"https://example.com/a","title":"A page","content":"What it says.","score":0.5,"raw_content":null}]}}');
INSERT INTO corpus_schema.run_steps VALUES ('resp_18ecd1985f5c42a5b6b02fcc2eb4c68261dfb74ef97d05aed7', 'model:1', '[{"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": {"name": "web_search", "arguments": ""}}]}, "finish_reason": null}]},{"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": "{\"query\": \"second\"}"}}]}, "finish_reason": null}]},{"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},{"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [], "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}}]');
INSERT INTO corpus_schema.run_steps VALUES ('resp_18ecd1985f5c42a5b6b02fcc2eb4c68261dfb74ef97d05aed7', 'tool:tavily.web_search:c1ff7403bf3a1605:1', '{"result":{"query":"second","top_k":[{"url":"https://example.com/a","title":"A page","content":"What it says.","score":0.5,"raw_content":null}]}}');
INSERT INTO corpus_schema.run_steps VALUES ('resp_18ecd1986b57d0824347abe5a9107bc6294bee994864f2e46a', 'model:0', '[{"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "call_0", "type": "function", "function": {"name": "web_search", "arguments": ""}}]}, "finish_reason": null}]},{"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": "{\"query\": \"first\"}"}}]}, "finish_reason": null}]},{"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},{"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [], "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}}]');
INSERT INTO corpus_schema.run_steps VALUES ('resp_18ecd1986b57d0824347abe5a9107bc6294bee994864f2e46a', 'tool:tavily.web_search:72fb1a2e3c0b6ea6:1', '{"result":{"query":"first","top_k":[{"url":"https://example.com/a","title":"A page","content":"What it says.","score":0.5,"raw_content":null}]}}');
INSERT INTO corpus_schema.run_steps VALUES ('resp_18ecd1995c95c9c69a03f00caeb4413682391ca422844ba9ba', 'model:0', '[{"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "call_0", "type": "function", "function": {"name": "web_search", "arguments": ""}}]}, "finish_reason": null}]},{"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": "{\"query\": \"first\"}"}}]}, "finish_reason": null}]},{"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},{"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [], "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}}]');
INSERT INTO corpus_schema.run_steps VALUES ('resp_18ecd1995c95c9c69a03f00caeb4413682391ca422844ba9ba', 'tool:tavily.web_search:72fb1a2e3c0b6ea6:1', '{"result":{"query":"first","top_k":[{"url":"https://example.com/a","title":"A page","content":"What it says.","score":0.5,"raw_content":null}]}}');
INSERT INTO corpus_schema.run_steps VALUES ('resp_18ecd1995c95c9c69a03f00caeb4413682391ca422844ba9ba', 'tool:tavily.web_search:c1ff7403bf3a1605:1', '{"result":{"query":"second","top_k":[{"url":"https://example.com/a","title":"A page","content":"What it says.","score":0.5,"raw_content":null}]}}');
INSERT INTO corpus_schema.run_steps VALUES ('resp_18ecd198e3c2e37f2b7410272c3c561e42400961559915032f', 'tool:notes.greet_everyone:ab7656e935fe3bdc:1', NULL);
INSERT INTO corpus_schema.run_steps VALUES ('resp_18ecd1995c95c9c69a03f00caeb4413682391ca422844ba9ba', 'model:1', '[{"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": {"name": "web_search", "arguments": ""}}]}, "finish_reason": null}]},{"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": "{\"query\": \"second\"}"}}]}, "finish_reason": null}]},{"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},{"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [], "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}}]');
INSERT INTO corpus_schema.run_steps VALUES ('resp_18ecd198e3c2e37f2b7410272c3c561e42400961559915032f', 'model:0', '[{"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "call_0", "type": "function", "function": {"name": "greet_everyone", "arguments": ""}}]}, "finish_reason": null}]},{"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": "{\"url\": \"https://example.com\"}"}}]}, "finish_reason": null}]},{"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},{"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [], "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}}]');
INSERT INTO corpus_schema.run_steps VALUES ('resp_18ecd198e3c2e37f2b7410272c3c561e42400961559915032f', 'tool:notes.tools/list:5ccd6fdded85a9f8:1', '{"result":{"tools":[{"name":"greet_everyone","description":"","inputSchema":{"properties":{"url":{"title":"Url","type":"string"}},"required":["url"],"type":"object","title":"greet_everyoneArguments"}}]}}');
INSERT INTO corpus_schema.runs VALUES ('resp_18ecd199d456e9e466d2e8018e490e9faf3af1628b3f1a42af', 'local', 'up', 0, 1796040810.0371687, 'queued', NULL, 0, 2, NULL, 0, false, false, 'antiphon1.4IfAAGS6hftuip0-Ak7dv9aVd2xruCEiWhJIBRs3fSOt1Plz4SV8T9M8enfYptOfRzzeA4gUY4BdLgywoTKL1HKw6APqYrNC39GwoX3XD1nBGuZhk74nlswBi668tqHpTeIdYdX2H_cu9Uq9k_fXunttTVvEY5jYTi9w-zNzk5BZc7qrwZthosV7VATOFKmEtx3xCSa1_qNtawGcSI3J-yNx2efNgBXqL25BjSRG0o5Qn5Hv5BRLh3TH4Wazn4cTUkyYgyqS16gJ4TsgNqcNuuxo_58HU157SK43NY8ZYNgOj-9wl4AGwpKaIi213YZm7Bk7zHXu239JMP0J-hQ1SAnkODunhn5yi6S_A3KcZ1BsZ2JGP73V8C-3jlzeFTZXVebpg7Vz_bKJ5zdKJ3nj7svH_LKn1ODPWA5JuyqxUobcUy27c18qyvZP3KIqLrZpJK7U5bXw67rQMqYEoXAjjAPORLZFXGSaGpY1r6aou3U5EVy6pIVjmXrOTLORJoqhXyRYym65BzfexIYWxoV94t_6BN_INiz7a33jWUgKAYccoA9sxEUFfX9Pn4A7XBLnZ_8gjo4_AqilpSpEiDG3IAbSi5c9BnyXusAQf1eBbPN6lg-RX_9x-ufl0hY-foHT3FzyquXUXh8A4CQpUtL9VyYF6ONGywbxYSZ98GFNl_F4fShO9Ph3QScX35qBi7RBKPikDIbBw8nf8z_2F7AAPzVp8DRl0wk438XyqAlgEQAUQ926hXUlbA0c_h9pZLH46RuNyDXo128_5lSGHyZx3QklbsI9ZUwlxeCchpkJW6JpHsP_wNoJCBRCogZtTXWKyoVpYkMkLZcnqJIUVJg9EIXHeYDkFpaGbqP48qgGEDBx6Edvl6LZIjiwRDkUzTHRM8H69-38-8pjotuJzulxll_ovH0uKKxYSNYi-Q22uu5zU_ahqvYN_lA27fklvkBXwzAonsyBSZhfDPwtE17w8K7S8wCswy6ueeiPPplOG8P9DR7uT6m3nws2v0Kro3Cz9i8x1CXExKIkuTbS6AHkz73SAKFfvxZW2j1-J5FOoHSBVU6d1JLjmmH67xqFln8_KzQtyBrRx_lmjGzZmp9yvItM-5-HTb_FDKZR9-0Om5uxhX2UhUsJshMz0OzBsUMpPaDJKCc99aXYuG_HsbKTpe9iPFTgPrK-tEBlrUt89WD4JuEeGUWW9lSqYKx_PWg28b2hlnSrAXwvo5OYcM6cNzfdUcXBkTGsC9MuWTe0ILTrBq3KPQRO4xRk_XV8YgNVyy4b456slCdwjDE4-wqs2sMCils1nxzR9aIOZ26pxxPg2xwAaq6jLU3g0mD3bUATyFmzLDG6nPbC1X3iWrS2PdfArv1BDGMgv0wKNon2ANG2gZ7OtP6njzx-oay3-jo9Rz6fKmqCXYQbX7vy67t6R8pPasccBt_5HLssB7msJAAPZ4GzTDPo8y34dOd6b9alq1e_BAV49MrXgVUJrP4bmwUCHUXRedR95ch_24P28f2dngbrs_CcHKFO7B5SGNsqRvYiCzjNSxh3Z5-cWrpP2PR_aQtwuUL38QErCgUy33FL1b7IFFxLXvFxw-3OhhS7RuaJXymh3u_7RbKG_e2cAWBGpjVPv8g8r8aTV3TsjQXMWR__xQ');
INSERT INTO corpus_schema.runs VALUES ('resp_18ecd197bc83a0203e1baf5df8284a86b0334dc3b9c29f56cd', 'local', 'up', 0, 1796040801.0477743, 'ended', NULL, 1, 31, NULL, 13, true, false, NULL);
INSERT INTO corpus_schema.runs VALUES ('resp_18ecd197e66aa3119bcd8a684cc3c6ab86ac2ca87d61b871db', 'local', 'up', 0, 1796040801.7502258, 'running', 'corpus-host:39965', 1, 3, 0, 3, false, false, 'antiphon1.cBFDgA_3RcxZJNR00iKsYSSLvFojF8tuFdnRFDuzRV8-uTkHk__wkQfm9BfUw0I6vR2hLkMr0qrSIyWVvcOZwUn2O3w2cAqyuuYPIwwmpMlNt2zhG4QE3mSBtSdk5OhoFGhRefxIHap2FwCt88NVfuD9nd2GzT0chT4-HDLZkRNGNZBKUq_Kiz472X70KkkivHc_sVa7BN4jfHrkLqjFg3YW_MCDz2SFH5o7FbkOS2NG8DNOcfNkHKXGxoXJPmEn_BPIPxQcPJI2UCYK_3yGfa9PRLOfYd8xzGlvsQhEKuLDQyhvwGL0qpEbGHVNCW97iT2-Pr6JAVC1TkHSpo-o1yOqbIEJF18ymQyKUffhSRs-CAuUAVMjlfOEvw31lH_ci5X5M1J4gPYQUXEM6CmViS-USeS8IHvIKk9z1MEIv4gQRLM5MatK3iueekF1Xe3YPcn642RwJFuRwtWzN7SffHw8i0k9RBtAGwDn7FGh0XZme5oL-uOeOPPx8u7TdjJl4ZkPkqUIHGYLJbcqNrXiJUSXQw-gwxJupLOzik9xZl7HxgpMw8SMLhErqiyQsTIhUNOrdO_aRxWmE6ph_ALkwIQXTvNpZG8djPZyOgjP9GlyHcpTG-UWwALO95vKzuAcPfLkRAGk9Ty-XAEGaxULNq7rD7FN3NLjk0qy7yXVQQwiDTSt6zlb0bjVI_ttSOFrOYG5prjA90pUz3Zqylms1-8M40XBZ6o_r3yeSqiIJBe00CLpSh3UQKDw6iE2cUClCqbsWRMUNUPgwxDlQkbshECff0dBJaTFATNVqw-EZsRFRXrHYHkjpdESBO0QVnqSxsbV3sRrnH535bu7qxxdi3VdvwO5BJJeHowNL8b0rThYKzXKRbLREuhse-lMUYNrqg2xuFp1Q5jjGfsvMfDh-ZDAv8qyVVZHuqXMVRPJwkp6tirqXcVhylU6Pd111cBXmM5DxNA69EaTSGToTeND3A5fvaAXuDCafucijfynDtJzIl05J8n6fSSgGnnnj9jb6UZohuSUu7Kwh5QzTtHu9ZqfpAy4GmSJNRyRglC7N4Ugw5YBfCHaE3Xw37UJVPaH5q9JJunGB49EFwn0wwIDhwyvwKGQfmGBLE5m-nRKarSrvq-RAT0nOfecya5tVDTv5RbUEVbCpmLfVRQ21_FDwqH6VbTpfFRuqVwXVTTX3iNTiEmCUcTonoS6_t4iIuULzeipodmlSk4eqptVzsTCWJ_HNAE9BKEZkqNI9XtcMFVPVpn_gIXGsk8FGgT9G6-bugMjw0M-wmOqK_5ssB2g8_3lb_Xb-E8shyFi3uoKHelINej69SY7U5OoT9msAaY_gxWkpS_Z6XkKctLFNfWxX2upIm4wnT3OjLsOTKMIZeyy-_ds8TQRW5vGAzA8s-1tT4Q9aIa7E9SqDzT9K2xEW6e_rb0VDtKb4HRHFvtflzW6-mqigHy_astngespKLAW-v1bXQIQ_f0bM8qD8HH6_3spjMJX8wkLHbY-PMsIhsTHvX-P9FZU3P43jd4tQTE0K6jIkUv1zzLsXDQCeSZcZWqnh9a9OrSIu6O-78x92JAEPq-C9XhplqEfpmImkzJGCWv0Ofz_0duTKpkiEKQWhJ7Gv2ytyRv3tw46IiGRuhlqZYUyj6trzoBmhwDOFw');
INSERT INTO corpus_schema.runs VALUES ('resp_18ecd1985f5c42a5b6b02fcc2eb4c68261dfb74ef97d05aed7', 'local', 'up', 0, 1796040803.7794027, 'running', 'corpus-host:39965', 1, 20, 2, 13, true, false, 'antiphon1.XAmqCD15kgM0c-j07uuSqzGxoPHQUu1Ppx7hwenUCoy5IEn8aNA797eHGehdEEx_9xezMeqvjCnuMV6nLyZ36g9pmQlcse5RiODWdPA62ACjhJFxzoETo0PJz3qN54miu0QJM9nL4JsAuvsz7bw83KDFJJEWQEZDin0xhN5NvNGYpcrYVSUZssPPItXx_5SO36UOSkvXcYjGX4YMmDEZgzS0aOanG4TRQLfALplX-wPa1_DUny-7FpnO3LUbDTkg1eKUZC0y4rXw6HHq3ULDHOp4DTQfUjxkspaB8xdQmPcyv4ezoiNC10eo4CxsYCzud36LUAYFfxMohw5kE6UjmpRJgQ_9rTMEOYAHdUHRswOsGuc9PMfetH7klma5GrU7U39Dncw0jyNoi3JWah4T9oANrSRWGEYNXhZjVWaIejitOJa_yrI_vFSq0Qs8pRclBpGEQfkdpCPC3_f489UxBjae8gV2wyPT_lEjQ_0nyrH_XHQfKfZk1GKOCmRV-_e3q_b2gGXfL-sXJAMdXhsPHJp_ySENA9dpuma4VSFcsRT4GMDwDirfGzeGQMdFUAnsbIAayCAshZnd1mJVqdAcmqgRqe-8o9t67-L1KKQac5gZENmtO_kxC6_Pk8Z8Df5cQQa3WnWGx8_WqrNYMcv6vy2MDeRj_0QOVJSKIX8iV4C3kK8MXjw0mMMN7t9eowYMIvx6stvIO9GPq5489nexjjizvRkkQ7iNcv8AVNTVfVDpEwkF4aEglSfvVFIfmd4TO65q1-7KRIllVoAxxnglC9sFMAaHvfdtCPDa1x08Xd60pZ88D5kpsSbB_B5fzSKyWCJTdb50eagGGtyBwUkAavHwy3kBDoMnMg9v32M1_4wNWzNS0M2yIpFOQZwEBY9jfRGNBdXyFjKNYUx7U1Yv2XKMx1Mk3fGVHroaQfG8Rm5QRYlInEqDtb7CkKblDfJhOA6bNga2HSb69ElIErJaR2UrmSki06w0P2XA-Qe5Y7q8Z7rb2_eXeOlHExv3k_sTb6jyMDczd5jActFyKJ9xQJIMpNoqOI9tSfd1126yloFlyG6ycTrVg8_YruoQWqpBf9wdpnqiP0M5pQLt4Vr8yg0jWhKLfyXG0MeTWSsA9QwaFFOG40x_aLfrF_GlShPo6gJ6CgsQWm37lK2KYZoJGd_EijLycVDJMChGgj6c6asWu5r8I--L75_a8L71ICGGPaw68xSiIjM7L-hGQe3fbIUf97zodsiIoNoszxfNTa6m9sWTA1Ynt5NJ8P8CKbWD7sIVKotp6XCwr4HXkMp5gw0PVFsF34TXbObHgsoV6LUOVLR5tEkwG-MgtBxCuKlrKeN1o_y8kKBnJmsGnlkJlN8gBMUbLu7INh0MRjlH1vHKEHnHiElUkd5SYBHOwauLV-yL6roNaT0Bq_hh1qyN66GHVNq5HFX4ztwJz562uGmvKgwEL54mdmgnA5kcrF5JHmCVWm1DCWqKil_Hg7FrpYdks9t09tIF9dy7FNTBJMSX4jHylR04cdLJL00i0Sw_UATuKptruWFS-BZxZo1aO99nAmL4QCe2gemVTuPD5nj-GnQ2S6iYsPomCpYyYqBVPDi8voou8q2fXzy4Xb5Hc2MwLkI2Nw_VlHUe8wbJy7JLG4GzR1RzLoKg4FbXH3X8bnhCOpMS9v0J8w');
INSERT INTO corpus_schema.runs VALUES ('resp_18ecd198e3c2e37f2b7410272c3c561e42400961559915032f', 'local', 'up', 0, 1796040806.0007424, 'running', 'corpus-host:39965', 1, 11, NULL, 7, false, false, 'antiphon1.BHsLlgKUkbC3xeEtkx3kaFGva3rvRXHTKiqW1GOKGRAub9uiYiLALI6De1nUfL5lyForLnoHRu8hhBf3ItHXxKIkNf7O9fq_uMuDymwJx0zAgIE0_AC2wahdew3OH2IzMV0Ku7ap2Ap4ZL4dj3txQ2oZ98msLn4r1YurT_ECGYsD5bGB_rM5tGWtnJo8tq-JLgIkS-zvtNmNmWrSo9w-SyOMGLGr2QUMQhHyDEruugpZudY1UrpwbYxG0oBrA5VgxC_ev2lw37vy-2XZSIRZljWBLnTeR2zaFB10MrpiwI1clnKNdDtFMdJWhSttxrXiPfqemSxa7TwqLL6N_ixs8-FXV_X3k6wsXMKM7icmZGKSDWTtcRgEqCx7MNocHXdDWgqF0vYKbSTaB6n84t1-FO-Gew1OfGeYEHUMeD9mF0pAjtchcpFHP_EtKYt2qJHzg6Nkg6FINXT2nrdOyAUlz3D-ejiJwLrdH1ZhpMQt4y6M5MlUkiX3nO8-2YJMwuk09Ff6j3rL5FTLJHyISbhOkSobRk5JOIJqHsQvAkQ47Gc1TfTL7CAytAFw1ryhnqRt2RmXAE-6KaINIFWkWm4DZ9ifr48e3-FolSdeCEE8azZy0ZXG6DYDdmdOhfX24oW-loMW1lMOITCa-Pl-AoIbPGHmJYKE1FqEQ9QzlQFvWJQGMO1dMlWgNvpzRte4KP89NJp5FVxK64mP6f13p0YOEJJZotjIzuGgZNW4tT44yJ31mDcy_QXkfKXlgsDbaPL7T42yaMdSH7XlxtDwu7UvCd6ZHR52DZOztSR7NJ1333hHOiWtIw6t2rbZwGad2tJeYp0Uw0zez6_F0TI3dlW2Cfxbmg4l5JQXnmps-NYTA2KebjW9qV4AEdc6PD0WDk7GHWXAcHa8A2KDhNV2eF1VrOu53_i4-MEQUE0p61UIrraq5PSZAvrYY_XusbYfge4-uNUV37N1JQfHiIkpmVpH1tk7iSdtI_DrVw-y1odEW5DCcNAOaUwJjujS9RIb8TLYLPhVXH8-d9IeQWPIN2SIWmBGc9ydpT9wsi2SV3EPjoP2edegxe3LWzXdzy57RDIhwINnTc3T2Gw3R_zPneqyjI-f1Lvc78gwohqIEdIQs7zsckFto49DM-j2JRxuWA2IpqI08CDTi9acTbN0H7tBdpbeWzMKy0FKykuIqtXHkbN_4shH7e7bp5aa70uUfLn5fzvH37LVsLkNENziPbk0KU1r9P7s_T_LAua1IdOR8V70uU7evvLc1jFpYar9ft366KW5Mp4xzJDCr5TgLIUeMbHTKn3RPJ507X5NsNSWo-C8vfivYLuPCOKUCOgByI7wHeLjPjxVi5uEJysTP1l7PCUFLMAgVoHgV7tkUkn4qIb3Egz6XKgBM7U_OcnNFpatCKoIBI_u_52kYDOzNbYri96jguIIdk9rJC6McQrkkFBbHqLDEzOcjMAdHPJ8KzVx4NnpmW7KyV0GuGXOvb4Ic2q5Z4lBCx8vOeVKyWTdw_XgJTcQLto5c8FPTFpzmIJOYTWyUj3w3oeVwsvYuGHPdHhHa0BD5HR4uiowTqPkL3fD5HsTqmfRd87K9U1-0PHJKN5b84GXva8CRLIThz2ZRvsgnhsNQALuFdvDEtIu_qGqmXRCAui2xwA_el92LSDuNrnDdh_jlySgD801R05nIK5iVPdxGPrq1Iakl_bD96SP6qOFXYUvkA');
INSERT INTO corpus_schema.runs VALUES ('resp_18ecd1986b57d0824347abe5a9107bc6294bee994864f2e46a', 'local', 'up', 0, 1796040803.9804006, 'running', 'corpus-host:39965', 1, 8, 1, 8, false, false, 'antiphon1.DaYclvblBFlUuI5FPBgvGCcDs6_ySBc5EGxlKDG3SnZzonLbodUcP3NkOcnsQPZtIqMnzIDtDhvM_kehni-A0nMUH7ltVNqjSVASGmRZdhTM5EVAPky5Jvb9_ikf1v7H1mj4qXkT2F21w_mkuXwYn5CBYwrr0lCUZp0o18S86cqxfhlCOMRPCcWm4-NuAGGMNbYYdz4rT3Eymv1ALgkaLm97tgIfiuJnuW09ZLINOxnBDWObfMW80NgKEfbCcDVkq5B8_z7pV16AbjPKymkA0EP-pgPVQziC7mN6Kfp8_jf0luQ85RtmgIfvnz-mAwEW7RhE5MhyMsu7o2ANoBpaKYo9yWnUaWmGcl_pXsvcbY9aJmRHwn9VM8JyTdEKkRYtUlor5A5t-RtXHKFj4bON8DHfcQ2fA9ISQop6J5Ezqq3z6jp5FbwBwyLGWUkoP2lGfUC42AGHw5ugXI7a7Cf0ORNPl6qVhzie_RUa7k2vTKKRjydRCG1Ptsb4i448oHx5mLWw6UF-i9oWDey64PSYyQCFlePNc5rGJa4UY6qCmgV4OHDWysIay_zLCAptpqY278Qi9HruzlEx-bmDB1P95ELx6gQ2NM7AslK8Gg-dZ5lfghrvMOxOKJArNXusyCdnojwItAL1-J86EWrOHYkSUhcLY1A6Jm96o_4S-A2C7odStGllKKYCxtvpSzeu97GfqJ_4Et8nAbp1De68c52WeVyydSF3W2PLpJiJ4zCcRPIkoL_kyPL3bvLvLr5e2z6RWntetx3KfI-MjlGrkrUZXFL2oTXjnzBh6_dsemWSda5NNF_wBfxJ7GCalVk3Uexc1aUC-NbOCOTo4nN0QyXeF5GHi9dBqn8NQFbt81YgbZZw8ieoZxSLk20kifrVT9WnTpu0JXHsbh0oKIKEgjiUoDiBsGfcQcpVSp5mDGmmwGlztH1jfWvD20Y8zDCnK5f5PHoz3XDi-d5qcLdZzYOd7Gst54FE_VVZc-I3gLmTdaKUzfZUZ_uCwm7wOkuIsiKgPcRdeXxvyhUU3Z1fy9VU52ut4PCVngLZbXjOH9fcFz0dDG2ZgWrqV_DCgj93c2jX2f0zrzdIhwvj_PicGf6A6Hzhp8jzKWDsiz72VmuOT0WLt5-KAHEiPx18pEcHiZms-k3R5-8fwNK2j7RHT5iziR01vhtoLnsBoe85Fuw8PWLk-rYy6DnngpvQHPjObrVFJmgF2gzfB_WWIV67By6sWzs62rHMB26n_dVWL-Ar_otvYvAl8c42-WxQmRzsk99_o9GBdH8-unZ_glxS1yV56TVOADMmXKATbZFEelJR0HqVhxnkMWGfgn1JRDzH_gcaVdH2mWXlF8kSPB5BzHnrobHrrMUByMsT523EerDkqXncrltYxe-mfIxgK5D0_TJ-gK3RhSAJM675A6oEcyZguX8EeqlmMxKTCan7sM88uV0Jx5JpfwtvVyTy5FH6AIZmpCb_smGwnNIh9HFFwh_FpYjg9gG-BMHuLdisMCgMeUnZqYt7TpWzvIGkDeHweu1s1XepvXfhtc_Hpsmi6K3RqiluDNf4w7QIbzuwn5Cdj-OSDQwDLfLIxhPtayJNzLYNb0-AmswLpXzNXssfFAH7of6fSsLyC9twDOdUlJpXguZxOvkDRnId7POS5rf5fqT_Q0P4CYDYW7213oSksVlYfAd9JGVcJPQFg1GSMw3zWFjfIAIwmwQHeXA8B187d-HzhmQ7');
INSERT INTO corpus_schema.runs VALUES ('resp_18ecd1995c95c9c69a03f00caeb4413682391ca422844ba9ba', 'local', 'up', 0, 1796040808.0282114, 'running', 'corpus-host:39965', 1, 18, 2, 13, false, true, 'antiphon1.m6tzeMnJdjwfLFflW98BVejHt3ZWYlxalypzI7LrjBF_8gYOSrbujrhoin-DEhcaihRdAJ1DYEFWEeFIFR4lpLZ27ILP9bogcAd8H6y7wlkT-hsMESmIYRP0gw2_3xMEapA9zLuhUaU0J33xIJdcrzC_8oQS-8hcB8zCJBXJfYGkNH0gt9iKfBGyQdkluzKxscoc3fsZ5-Uq89-EvVWBw4_C0wgAgVm4piSc9Pp-zIZFxiACMInpiFwIfP3MhzCWYwR2Eit4wKLP4lsUW9yZwSYafPtaiGUX7S5UTS0GTAMoJz-duB1aoTuPOWxPIUu8Q1CT-_Tgd6d5qe_d4xGlny-Lnz8vyQiEPP-93m5nGY8FwIgqa4-KrNROC798hPHEiQf1XcxuovltRlYUXH1JU08oB9WeE9b9A9CU8n5si0QP1KSVCcOzB93n8us_gwDxYin76y96uDmmSEMWiH0nwGXVhiSqoBo8BblzNvdQZYZ1cjEoCIU7VV5YpqhT2x1ZqQjGh1PoybppG1ylISFWRjgnWQggUSBIUnA0czBnTVJhrlhMwn6L0YDtuB56dE5hnoV4tGyjQvkv5_4iPvdM4OIuE5Hxx2gUeO6k6iYsBdInbaXBuRLJgk38j0OblPq11SDSmBrx76mYlREWagoo1bOsuCKYkY7lbynVhw8mxMDeLBq8z9kmPkNJjVUzzA9R0wGHi340pzF5Vc_bogy1boLDRy-VxgA4WS96flsGJ6iDZdr9vi7jFHa69BWIgvWoeguWGntNmIleaCiNBv2fUbN2aywr3VMg8MgULh9w_o5TFNDexbCjLmPUfH7fGeHBYOzFtn8Esio2WuyH1dR2vnZcZH9re4pPdf2SgqOyKmslSVbwr0h1xSIB1xORkc4JC2AOL7H5TzkQ_xahihsv5ao2dXzapFfZ3f-Yz6XiarLQlDmXCboxBJ9vA8vDPjcaObP0fUiIOz0_5wStOVOsKaQVR2uw5jI3jKgriat0LHJOwyacVvzvQuOlLftCgKNKOiivXnOSJsbst4ZnkZ-uNKCywuIlyFvjvduBGXO--pQ_bBIxmM0hp-DQmKoEDTPXf58ddN5YyyNBb4W7l-1bZuT-ZSRzazGDr5yks5hgB_37fB76Cqhpt9GU5VwVxPWC4ZAq5_ezqxUqCZlSCoRhXCGtQSAHOYHDi7ggNAMXUOgV9U6cspc0OnAwMzwYfuNBkUGHMxukqjEV1fHVZI-GY9zM1piWiRuvNg7vbPiEEu-FTvOIbqiEgNofLodHuP_ewXYeH8nLUycKvx69T7PSvzSK2592TGu_zIyucyClQ6vVIqYDXxw1SL2I15Y76-7GzbTj85Zj0U9J-7tyeogCc72aBvKP2RA4-CnjjvHia6zf4eHrlJ8V8DIQufdGe88x9OwTWdB0XqwWlofOKcUdn7VOqBrwp4Wk_cilQNvbTf75qUqulyrd7vAasR1apbYrgKy_irSd4bW5dAa6yMQgnDVkLucwCHYDbLQTi_n0L3qV5frKsr3b2LLbiJQRnNfmIgGhyE-HdfEIU99v3bQIrajUtlVHh6r1hQ6npDz4VHmtXLFzE2FVUmKP7ABKLpWX6k1_5ePiqlJt6m1sJ-lVeEYKAz2qd6ZWLHGPuDJkcwHlG0cv9nBf4g');
INSERT INTO corpus_schema.schema_version VALUES ('m001_initial');
INSERT INTO corpus_schema.schema_version VALUES ('m002_files');
INSERT INTO corpus_schema.schema_version VALUES ('m003_chunks');
INSERT INTO corpus_schema.schema_version VALUES ('m004_keys');
INSERT INTO corpus_schema.schema_version VALUES ('m005_prompts');
INSERT INTO corpus_schema.schema_version VALUES ('m006_secrets');
INSERT INTO corpus_schema.schema_version VALUES ('m007_idempotency');
INSERT INTO corpus_schema.schema_version VALUES ('m008_registered_models');
INSERT INTO corpus_schema.schema_version VALUES ('m009_deletions');
INSERT INTO corpus_schema.schema_version VALUES ('m010_indexes');
INSERT INTO corpus_schema.schema_version VALUES ('m011_versions');
INSERT INTO corpus_schema.schema_version VALUES ('m012_counters');
INSERT INTO corpus_schema.schema_version VALUES ('m013_runs');
INSERT INTO corpus_schema.schema_version VALUES ('m014_vector_blocks');
INSERT INTO corpus_schema.servers VALUES ('corpus-host:39965', 1796040811.0684166);
INSERT INTO corpus_schema.servers VALUES ('corpus-host:47055', 1796040819.832566);
ALTER TABLE ONLY corpus_schema.api_keys
    ADD CONSTRAINT api_keys_name_key UNIQUE (name);
ALTER TABLE ONLY corpus_schema.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (hash);
ALTER TABLE ONLY corpus_schema.chunk_terms
    ADD CONSTRAINT chunk_terms_pkey PRIMARY KEY (chunk_id);
ALTER TABLE ONLY corpus_schema.chunk_vectors
    ADD CONSTRAINT chunk_vectors_pkey PRIMARY KEY (chunk_id);
ALTER TABLE ONLY corpus_schema.chunks
    ADD CONSTRAINT chunks_pkey PRIMARY KEY (id);
ALTER TABLE ONLY corpus_schema.chunks
    ADD CONSTRAINT chunks_vector_store_id_file_id_position_key UNIQUE (vector_store_id, file_id, "position");
ALTER TABLE ONLY corpus_schema.conversation_items
    ADD CONSTRAINT conversation_items_conversation_id_item_id_key UNIQUE (conversation_id, item_id);
ALTER TABLE ONLY corpus_schema.conversation_items
    ADD CONSTRAINT conversation_items_pkey PRIMARY KEY (conversation_id, "position");
ALTER TABLE ONLY corpus_schema.conversations
    ADD CONSTRAINT conversations_pkey PRIMARY KEY (id);
ALTER TABLE ONLY corpus_schema.deletions
    ADD CONSTRAINT deletions_pkey PRIMARY KEY (kind, id);
ALTER TABLE ONLY corpus_schema.file_batches
    ADD CONSTRAINT file_batches_pkey PRIMARY KEY (id);
ALTER TABLE ONLY corpus_schema.files
    ADD CONSTRAINT files_pkey PRIMARY KEY (id);
ALTER TABLE ONLY corpus_schema.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (owner, key_hash);
ALTER TABLE ONLY corpus_schema.items
    ADD CONSTRAINT items_pkey PRIMARY KEY (id, owner);
ALTER TABLE ONLY corpus_schema.prompt_versions
    ADD CONSTRAINT prompt_versions_pkey PRIMARY KEY (prompt_id, version);
ALTER TABLE ONLY corpus_schema.prompts
    ADD CONSTRAINT prompts_pkey PRIMARY KEY (id);
ALTER TABLE ONLY corpus_schema.registered_models
    ADD CONSTRAINT registered_models_pkey PRIMARY KEY (owner, id);
ALTER TABLE ONLY corpus_schema.response_items
    ADD CONSTRAINT response_items_pkey PRIMARY KEY (response_id, direction, "position");
ALTER TABLE ONLY corpus_schema.responses
    ADD CONSTRAINT responses_pkey PRIMARY KEY (id);
ALTER TABLE ONLY corpus_schema.run_events
    ADD CONSTRAINT run_events_pkey PRIMARY KEY (run_id, seq);
ALTER TABLE ONLY corpus_schema.run_steps
    ADD CONSTRAINT run_steps_pkey PRIMARY KEY (run_id, name);
ALTER TABLE ONLY corpus_schema.runs
    ADD CONSTRAINT runs_pkey PRIMARY KEY (id);
ALTER TABLE ONLY corpus_schema.schema_version
    ADD CONSTRAINT schema_version_pkey PRIMARY KEY (name);
ALTER TABLE ONLY corpus_schema.secrets
    ADD CONSTRAINT secrets_pkey PRIMARY KEY (name);
ALTER TABLE ONLY corpus_schema.servers
    ADD CONSTRAINT servers_pkey PRIMARY KEY (id);
ALTER TABLE ONLY corpus_schema.vector_blocks
    ADD CONSTRAINT vector_blocks_chunk_id_key UNIQUE (chunk_id);
ALTER TABLE ONLY corpus_schema.vector_blocks
    ADD CONSTRAINT vector_blocks_pkey PRIMARY KEY (id);
ALTER TABLE ONLY corpus_schema.vector_store_files
    ADD CONSTRAINT vector_store_files_pkey PRIMARY KEY (vector_store_id, file_id);
ALTER TABLE ONLY corpus_schema.vector_stores
    ADD CONSTRAINT vector_stores_pkey PRIMARY KEY (id);
ALTER TABLE ONLY corpus_schema.versions
    ADD CONSTRAINT versions_pkey PRIMARY KEY (name);
CREATE INDEX chunk_terms_index ON corpus_schema.chunk_terms USING gin (terms);
CREATE INDEX conversations_locked ON corpus_schema.conversations USING btree (locked_by) WHERE (locked_by IS NOT NULL);
CREATE INDEX file_batches_of_store ON corpus_schema.file_batches USING btree (vector_store_id);
CREATE INDEX files_by_deadline ON corpus_schema.files USING btree (deadline) WHERE (deadline IS NOT NULL);
CREATE INDEX files_by_purpose ON corpus_schema.files USING btree (owner, purpose, created_at, id);
CREATE INDEX files_by_time ON corpus_schema.files USING btree (owner, created_at, id);
CREATE INDEX ix_conversation_items_item_id ON corpus_schema.conversation_items USING btree (item_id);
CREATE INDEX ix_idempotency_keys_created_at ON corpus_schema.idempotency_keys USING btree (created_at);
CREATE INDEX ix_response_items_item_id ON corpus_schema.response_items USING btree (item_id);
CREATE INDEX ix_vector_store_files_batch_id ON corpus_schema.vector_store_files USING btree (batch_id);
CREATE INDEX ix_vector_store_files_file_id ON corpus_schema.vector_store_files USING btree (file_id);
CREATE INDEX prompts_by_time ON corpus_schema.prompts USING btree (owner, created_at, id);
CREATE INDEX responses_by_model ON corpus_schema.responses USING btree (owner, model, created_at, id);
CREATE INDEX responses_by_time ON corpus_schema.responses USING btree (owner, created_at, id);
CREATE INDEX responses_of_conversations ON corpus_schema.responses USING btree (conversation_id, conversation_position) WHERE (conversation_id IS NOT NULL);
CREATE INDEX responses_running ON corpus_schema.responses USING btree (server_id) WHERE (status = ANY (ARRAY['queued'::text, 'in_progress'::text]));
CREATE INDEX runs_open ON corpus_schema.runs USING btree (owner) WHERE (state <> 'ended'::text);
CREATE INDEX vector_blocks_store ON corpus_schema.vector_blocks USING btree (vector_store_id, dimensions, vectors);
CREATE INDEX vector_store_files_being_read ON corpus_schema.vector_store_files USING btree (server_id) WHERE (status = 'in_progress'::text);
CREATE INDEX vector_store_files_by_status ON corpus_schema.vector_store_files USING btree (vector_store_id, status, created_at, file_id);
CREATE INDEX vector_store_files_by_time ON corpus_schema.vector_store_files USING btree (vector_store_id, created_at, file_id);
CREATE INDEX vector_stores_by_time ON corpus_schema.vector_stores USING btree (owner, created_at, id);
CREATE INDEX vector_stores_by_use ON corpus_schema.vector_stores USING btree (used_at) WHERE (expires_after_days IS NOT NULL);
CREATE TRIGGER vector_store_files_counted AFTER INSERT OR DELETE OR UPDATE OF status, usage_bytes ON corpus_schema.vector_store_files FOR EACH ROW EXECUTE FUNCTION corpus_schema.count_vector_store_files();
ALTER TABLE ONLY corpus_schema.chunk_terms
    ADD CONSTRAINT chunk_terms_chunk_id_fkey FOREIGN KEY (chunk_id) REFERENCES corpus_schema.chunks(id) ON DELETE CASCADE;
ALTER TABLE ONLY corpus_schema.chunk_vectors
    ADD CONSTRAINT chunk_vectors_chunk_id_fkey FOREIGN KEY (chunk_id) REFERENCES corpus_schema.chunks(id) ON DELETE CASCADE;
ALTER TABLE ONLY corpus_schema.chunks
    ADD CONSTRAINT chunks_vector_store_id_file_id_fkey FOREIGN KEY (vector_store_id, file_id) REFERENCES corpus_schema.vector_store_files(vector_store_id, file_id) ON DELETE CASCADE;
ALTER TABLE ONLY corpus_schema.conversation_items
    ADD CONSTRAINT conversation_items_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES corpus_schema.conversations(id);
ALTER TABLE ONLY corpus_schema.file_batches
    ADD CONSTRAINT file_batches_vector_store_id_fkey FOREIGN KEY (vector_store_id) REFERENCES corpus_schema.vector_stores(id) ON DELETE CASCADE;
ALTER TABLE ONLY corpus_schema.prompt_versions
    ADD CONSTRAINT prompt_versions_prompt_id_fkey FOREIGN KEY (prompt_id) REFERENCES corpus_schema.prompts(id) ON DELETE CASCADE;
ALTER TABLE ONLY corpus_schema.response_items
    ADD CONSTRAINT response_items_response_id_fkey FOREIGN KEY (response_id) REFERENCES corpus_schema.responses(id) ON DELETE CASCADE;
ALTER TABLE ONLY corpus_schema.responses
    ADD CONSTRAINT responses_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES corpus_schema.conversations(id);
ALTER TABLE ONLY corpus_schema.run_events
    ADD CONSTRAINT run_events_run_id_fkey FOREIGN KEY (run_id) REFERENCES corpus_schema.runs(id) ON DELETE CASCADE;
ALTER TABLE ONLY corpus_schema.run_steps
    ADD CONSTRAINT run_steps_run_id_fkey FOREIGN KEY (run_id) REFERENCES corpus_schema.runs(id) ON DELETE CASCADE;
ALTER TABLE ONLY corpus_schema.runs
    ADD CONSTRAINT runs_id_fkey FOREIGN KEY (id) REFERENCES corpus_schema.responses(id) ON DELETE CASCADE;
ALTER TABLE ONLY corpus_schema.vector_blocks
    ADD CONSTRAINT vector_blocks_chunk_id_fkey FOREIGN KEY (chunk_id) REFERENCES corpus_schema.chunks(id) ON DELETE CASCADE;
ALTER TABLE ONLY corpus_schema.vector_store_files
    ADD CONSTRAINT vector_store_files_file_id_fkey FOREIGN KEY (file_id) REFERENCES corpus_schema.files(id) ON DELETE CASCADE;
ALTER TABLE ONLY corpus_schema.vector_store_files
    ADD CONSTRAINT vector_store_files_vector_store_id_fkey FOREIGN KEY (vector_store_id) REFERENCES corpus_schema.vector_stores(id) ON DELETE CASCADE;
