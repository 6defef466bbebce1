// Uses the built program as the TypeScript SDK's clients do, both the one of
// protocol versions up to 2025-11-25 and the one that also speaks 2026-07-28,
// over stdio, SSE and streamable HTTP: they list, call with progress, cancel,
// are asked, and go on after the server was restarted.
//
//   CACHE=… PROGRAM=… SANDBOX=http://… node .ci/clients.mjs
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const { CACHE, PROGRAM, SANDBOX, SANDBOX_KEY } = process.env;
const sdk = `${CACHE}/sdk/node_modules/@modelcontextprotocol`;
const old = {
  ...(await import(`${sdk}/sdk/dist/esm/client/index.js`)),
  ...(await import(`${sdk}/sdk/dist/esm/client/stdio.js`)),
  ...(await import(`${sdk}/sdk/dist/esm/client/sse.js`)),
  ...(await import(`${sdk}/sdk/dist/esm/client/streamableHttp.js`)),
  asked: (await import(`${sdk}/sdk/dist/esm/types.js`)).ElicitRequestSchema,
};
const both = { ...(await import(`${sdk}/client/dist/index.mjs`)), ...(await import(`${sdk}/client/dist/stdio.mjs`)), asked: "elicitation/create" };

const token = "a-token-that-nobody-guesses";
const home = mkdtempSync(join(tmpdir(), "clients-"));
const environment = {
  ...process.env, HOME: home, MINIMAX_API_HOST: SANDBOX, MINIMAX_API_KEY: SANDBOX_KEY, MINIMAX_API_RESOURCE_MODE: "local",
  MINIMAX_MCP_BASE_PATH: home, MINIMAX_LOG_LEVEL: "error", MINIMAX_MAX_CONNECTIONS: "1", MCP_AUTH_TOKEN: token,
};
const authorized = { requestInit: { headers: { Authorization: `Bearer ${token}` } } };

async function sandbox(method, path, body) {
  const answer = await fetch(SANDBOX + "/_sandbox" + path, { method, body: JSON.stringify(body) });
  assert(answer.ok, `${path}: ${answer.status}`);
  return answer.json().catch(() => ({}));
}

async function slowFile() {
  const { file_id } = await sandbox("POST", "/files", { filename: "slow.mp4", purpose: "video_generation", bytes: 60_000_000 });
  await sandbox("PUT", `/files/${file_id}/fault`, { bytes_per_second: 4_000_000 });
  return String(file_id);
}

function freePort() {
  return new Promise((found) => {
    const s = createServer().listen(0, "127.0.0.1", () => {
      const { port } = s.address();
      s.close(() => found(port));
    });
  });
}

// A server is the program, serving HTTP on a port of its own.
class Server {
  async start() {
    this.port ??= await freePort();
    this.url = `http://127.0.0.1:${this.port}`;
    this.process = spawn(PROGRAM, ["--transport", "http", "--address", `127.0.0.1:${this.port}`], { env: environment, stdio: ["ignore", "inherit", "inherit"] });
    for (let i = 0; i < 100; i++) {
      if (await fetch(this.url + "/healthz").then((r) => r.ok, () => false)) return this;
      await sleep(100);
    }
    throw new Error("the server does not start");
  }
  async stop(signal = "SIGTERM") {
    const gone = new Promise((end) => this.process.once("exit", end));
    this.process.kill(signal);
    await gone;
  }
  async running() {
    const text = await (await fetch(this.url + "/metrics", authorized.requestInit)).text();
    return Number(/^minimax_files_tool_calls_running\{tool="download_file"\} (\d+)/m.exec(text)?.[1] ?? 0);
  }
}

const transports = {
  stdio: (kit) => new kit.StdioClientTransport({ command: PROGRAM, args: [], env: environment, stderr: "inherit" }),
  SSE: (kit, server) => new kit.SSEClientTransport(new URL(server.url + "/sse"), {
    ...authorized, eventSourceInit: { fetch: (url, init) => fetch(url, { ...init, headers: { ...init?.headers, ...authorized.requestInit.headers } }) },
  }),
  "streamable HTTP": (kit, server) => new kit.StreamableHTTPClientTransport(new URL(server.url + "/mcp"), authorized),
};

async function connect(kit, way, server, options, answer) {
  const client = new kit.Client({ name: "ci", version: "1" }, { capabilities: { elicitation: {} }, ...options });
  client.setRequestHandler(kit.asked, async () => {
    answer.asked++;
    return { action: "accept", content: {} };
  });
  client.onerror = () => {}; // a restart is one, and meant
  await client.connect(transports[way](kit, server));
  return client;
}

// call calls a tool; the two clients take its options in different places.
function call(kit, client, name, args, options) {
  return kit === old ? client.callTool({ name, arguments: args }, undefined, options) : client.callTool({ name, arguments: args }, options);
}

async function until(what, holds) {
  for (let i = 0; i < 100; i++) {
    if (await holds()) return;
    await sleep(100);
  }
  assert.fail(`not in 10 seconds: ${what}`);
}

async function check(kit, way, options, canAsk) {
  const server = await new Server().start();
  const answer = { asked: 0 };
  let client = await connect(kit, way, server, options, answer);
  try {
    const { tools } = await client.listTools();
    assert.equal(tools.length, 7);

    const found = await call(kit, client, "retrieve_file", { file_id: "176844028768320" });
    assert.equal(found.structuredContent.file.filename, "output_aigc.mp4");

    const slow = await slowFile();
    const heard = [];
    const waited = await call(kit, client, "download_file", { file_id: slow, wait_seconds: 2 }, { onprogress: (p) => heard.push(p.progress) });
    assert.equal(waited.structuredContent.status, "in_progress");
    assert(heard.length >= 3, `progress: ${heard}`);
    assert.deepEqual(heard, heard.toSorted((a, b) => a - b), "progress goes back");

    const other = await slowFile();
    const abort = new AbortController();
    const cancelled = call(kit, client, "download_file", { file_id: other }, { signal: abort.signal, onprogress: () => abort.abort("enough") });
    await assert.rejects(cancelled);
    if (way !== "stdio") await until("the cancelled call ends", async () => (await server.running()) === 0);

    const { file_id } = await sandbox("POST", "/files", { filename: "old.mp3", purpose: "voice_clone", bytes: 1000 });
    const gone = await call(kit, client, "delete_file", { file_id: String(file_id) });
    if (canAsk) {
      assert.equal(gone.structuredContent?.deleted, true, JSON.stringify(gone));
      assert.equal(answer.asked, 1);
    } else {
      assert.match(gone.content[0].text, /confirm_filename "old.mp3"/);
    }

    if (way === "stdio") {
      await client.close();
      client = await connect(kit, way, server, options, answer);
    } else {
      await server.stop("SIGKILL");
      await server.start();
    }
    // An SSE client opens its stream anew by itself, after some seconds.
    await until("a call after the restart", () => call(kit, client, "list_files", {}, { timeout: 2000 }).then((r) => r.structuredContent.files.length > 0, () => false));
  } finally {
    await client.close();
    await server.stop();
  }
}

const modern = { versionNegotiation: { mode: { pin: "2026-07-28" } } };
for (const [name, kit, way, options, canAsk] of [
  ["sdk 2025-11-25", old, "stdio", {}, true],
  ["sdk 2025-11-25", old, "SSE", {}, true],
  ["sdk 2025-11-25", old, "streamable HTTP", {}, false],
  ["client 2025-11-25", both, "stdio", {}, true],
  ["client 2025-11-25", both, "SSE", {}, true],
  ["client 2025-11-25", both, "streamable HTTP", {}, false],
  ["client 2026-07-28", both, "stdio", modern, true],
  ["client 2026-07-28", both, "streamable HTTP", modern, true],
]) {
  try {
    await check(kit, way, options, canAsk);
  } catch (err) {
    console.error(`${name} over ${way}:`, err);
    process.exit(1);
  }
  console.log(`ok  ${name} over ${way}`);
}
process.exit(0); // whatever a client has forgotten
