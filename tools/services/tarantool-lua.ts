/** The Lua text that makes a Tarantool server of a test, whether it is a program or in a container. */
import { PASSWORD, type TarantoolCfg, type TarantoolSettings, USER } from "./tarantool.ts";

/** Where a server is to be. */
export interface TarantoolPlace {
  /** The address that it listens on. */
  readonly bind: string;
  readonly port: number;
  /** For its data, and the socket of `admin`. It may be missing. */
  readonly folder: string;
}

/** The user that the members of a replica set are to each other, and the password. */
const MEMBER = "replicator";
/** What the address of a member begins with. */
export const REPLICATOR: string = `${MEMBER}:${MEMBER}`;

/** What it prints once it can be used. Its own log says so before there are the users. */
export const readyLine: RegExp = /^pq: ready$/m;

const MEMORY = 256 * 1024 * 1024;
/** Of Lua for `admin`, and of what it answers. */
const MOST_BYTES = 100_000_000;

/** The unix socket of `admin`. */
export function adminSocket(folder: string): string {
  return `${folder}/admin`;
}

/** What the server runs. A new one makes the users; what is read-only gets them by replication. */
export function initText({ bind, port, folder }: TarantoolPlace, settings: TarantoolSettings): string {
  const { walMode = "fsync", cfg = {}, init = "" } = settings;
  const all: TarantoolCfg = {
    listen: `${bind}:${port}`,
    work_dir: folder,
    memtx_dir: folder,
    wal_dir: folder,
    vinyl_dir: folder,
    wal_mode: walMode,
    memtx_memory: MEMORY,
    log_level: 5,
    ...cfg,
  };
  return `
local fio = require('fio')
fio.mktree(${luaString(folder)})
local cfg = ${luaTable(all)}
-- Later versions count who is connected as Debian's does only when told to.
local major, minor = _TARANTOOL:match('^(%d+)%.(%d+)')
if cfg.replication_connect_quorum ~= nil and major * 1000 + minor >= 2011 then
  cfg.bootstrap_strategy = 'legacy'
end
-- Nobody makes the data of a new server that is alone, if not itself.
local is_new = cfg.read_only and cfg.replication == nil and #fio.glob(${luaString(`${folder}/*.snap`)}) == 0
if is_new then cfg.read_only = false end
box.cfg(cfg)
if not box.info.ro then
  local function user(name, password)
    box.schema.user.create(name, {password = password, if_not_exists = true})
  end
  local once = {if_not_exists = true}
  user('${USER}', '${PASSWORD}')
  box.schema.user.grant('${USER}', 'read,write,execute,create,drop,alter,session,usage', 'universe', nil, once)
  user('${MEMBER}', '${MEMBER}')
  box.schema.user.grant('${MEMBER}', 'replication', nil, nil, once)
end
do
${init}
end
if is_new then box.cfg{read_only = true} end
${adminText(adminSocket(folder))}
io.stderr:write('pq: ready\\n')
`;
}

/** Whoever connects to the socket sends Lua and closes his half; the answer begins with + or, for an error, -. */
function adminText(path: string): string {
  return `
do
  local json, socket = require('json'), require('socket')
  local function shown(value)
    if type(value) == 'string' then return value end
    local ok, text = pcall(json.encode, value)
    return ok and text or tostring(value)
  end
  local function lines(...)
    local all = {}
    for at = 1, select('#', ...) do all[at] = shown((select(at, ...))) end
    return table.concat(all, '\\n')
  end
  local function run(text)
    local code, why = loadstring('return ' .. text, '=admin')
    if code == nil then code, why = loadstring(text, '=admin') end
    if code == nil then error(why, 0) end
    return lines(code())
  end
  local function serve(peer)
    local ok, text = pcall(run, peer:read(${MOST_BYTES}))
    peer:write((ok and '+' or '-') .. tostring(text))
  end
  fio.unlink(${luaString(path)})
  assert(socket.tcp_server('unix/', ${luaString(path)}, serve))
end
`;
}

/** A program for where the socket of `admin` is out of reach: it sends its argument there, and prints the answer. */
export function adminClientText(folder: string): string {
  return `
local peer = assert(require('socket').tcp_connect('unix/', ${luaString(adminSocket(folder))}))
peer:write(arg[1])
peer:shutdown('W')
io.stdout:write(peer:read(${MOST_BYTES}))
io.stdout:flush()
os.exit(0)
`;
}

/** A string of Lua. It knows no \u. */
function luaString(text: string): string {
  return JSON.stringify(text).replaceAll(/\\u00([0-9a-f]{2})/g, String.raw`\x$1`);
}

/** What `box.cfg` takes, as Lua. */
export function luaTable(cfg: TarantoolCfg): string {
  return `{${Object.entries(cfg)
    .map(([name, value]) => `${name} = ${luaValue(value)}`)
    .join(", ")}}`;
}

function luaValue(value: TarantoolCfg[string]): string {
  if (typeof value === "string") return luaString(value);
  return typeof value === "object" ? `{${value.map(luaString).join(", ")}}` : String(value);
}
