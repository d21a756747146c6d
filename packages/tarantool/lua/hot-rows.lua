-- The two changes of rows that are made most: the lease of a job, and the ack of a plain one. `space:update` and `space:delete` read tables, and make an
-- object of a row that nobody wants. So these two are made by functions of the server's public C interface, which take MessagePack, and yield no more than
-- those do. What is the same for all jobs of a call is written once, with room for what differs. Where there is no such interface, it goes the usual way.
local pq = ...
local ffi = require('ffi')
local bit = require('bit')
local msgpack = require('msgpack')
local bswap, floor = bit.bswap, math.floor

-- Declared once for all prefixes and versions of the scripts, some of them by the server itself.
for _, declaration in ipairs({
  'typedef struct tuple box_tuple_t;',
  [[int box_update(uint32_t space_id, uint32_t index_id, const char *key, const char *key_end, const char *ops, const char *ops_end,
    int index_base, void **result);]],
  'int box_delete(uint32_t space_id, uint32_t index_id, const char *key, const char *key_end, void **result);',
  'int box_index_get(uint32_t space_id, uint32_t index_id, const char *key, const char *key_end, box_tuple_t **result);',
  'const char *box_tuple_field(box_tuple_t *tuple, uint32_t field);',
  'uint32_t box_tuple_field_count(box_tuple_t *tuple);',
}) do pcall(ffi.cdef, declaration) end

local has_c = ffi.abi('le') and pcall(function()
  local c = ffi.C
  return c.box_update, c.box_delete, c.box_index_get, c.box_tuple_field, c.box_tuple_field_count
end)

local ID_BYTES = 16
-- Room for an unsigned number of 8 bytes: the kind of MessagePack, and the bytes.
local NUMBER = '\207' .. ('\0'):rep(8)
local HIGH = 4294967296

local function put_number(bytes, at, value)
  local high = floor(value / HIGH)
  local words = ffi.cast('int32_t *', bytes + at)
  words[0], words[1] = bswap(high), bswap(value - high * HIGH)
end

-- An unsigned number of a row. Fields count from 0 here.
local function get_number(row, field)
  local bytes = ffi.cast('const uint8_t *', ffi.C.box_tuple_field(row, field))
  local kind = bytes[0]
  if kind < 0x80 then return kind end
  local value = 0
  for at = 1, bit.lshift(1, kind - 0xcc) do value = value * 256 + bytes[at] end
  return value
end

-- A text as bytes that can be changed, and its length.
local function bytes_of(text)
  local bytes = ffi.new('char[?]', #text)
  ffi.copy(bytes, text, #text)
  return bytes, #text
end

-- The key of a row, its length, and where the id begins.
local function new_key(q)
  local key, size = bytes_of('\146' .. msgpack.encode(q) .. msgpack.encode(('\0'):rep(ID_BYTES)))
  return key, size, size - ID_BYTES
end

local function operation(field, value)
  return '\147' .. msgpack.encode('=') .. msgpack.encode(field) .. value
end

-- ---- lease ---------------------------------------------------------------------------------------------------------

local function lease_by_c(q, member)
  local key, key_size, id_at = new_key(q)
  local text = '\149' .. operation(pq.STATE, msgpack.encode(pq.LEASED)) .. operation(pq.HOLDER, msgpack.encode(member))
  -- Where the numbers begin, after their kind.
  local places = {}
  for _, field in ipairs({ pq.RANK, pq.FENCE, pq.ATTEMPT }) do
    text = text .. operation(field, NUMBER)
    places[#places + 1] = #text - 8
  end
  local ops, ops_size = bytes_of(text)
  local space, rank_at, fence_at, attempt_at = pq.jobs.id, places[1], places[2], places[3]
  return function(id, ends, fence, attempt)
    ffi.copy(key + id_at, id, ID_BYTES)
    put_number(ops, rank_at, ends)
    put_number(ops, fence_at, fence)
    put_number(ops, attempt_at, attempt)
    if ffi.C.box_update(space, 0, key, key + key_size, ops, ops + ops_size, 1, nil) ~= 0 then box.error() end
  end
end

local function lease_by_lua(q, member)
  return function(id, ends, fence, attempt)
    pq.jobs:update({ q, id }, {
      { '=', pq.STATE, pq.LEASED }, { '=', pq.HOLDER, member },
      { '=', pq.RANK, ends }, { '=', pq.FENCE, fence }, { '=', pq.ATTEMPT, attempt },
    })
  end
end

-- A function that leases jobs of this generation for this member.
function pq.new_leaser(q, member)
  return (has_c and lease_by_c or lease_by_lua)(q, member)
end

-- ---- ack -----------------------------------------------------------------------------------------------------------

-- Does the row go when the job is acked, and nothing else with it?
local function is_plain(fields, flags)
  return fields == pq.PAYLOAD and flags < pq.IN_PIECES
end

local function ack_by_c(q, now, ids)
  local key, key_size, id_at = new_key(q)
  local bytes, found = ffi.cast('const char *', ids), ffi.new('box_tuple_t *[1]')
  local space, c = pq.jobs.id, ffi.C
  return function(number, fence)
    ffi.copy(key + id_at, bytes + ID_BYTES * (number - 1), ID_BYTES)
    if c.box_index_get(space, 0, key, key + key_size, found) ~= 0 then box.error() end
    local row = found[0]
    if row == nil or not is_plain(c.box_tuple_field_count(row), get_number(row, pq.FLAGS - 1)) then return false end
    if get_number(row, pq.STATE - 1) ~= pq.LEASED or get_number(row, pq.FENCE - 1) ~= fence then return false end
    if get_number(row, pq.RANK - 1) <= now then return false end
    if c.box_delete(space, 0, key, key + key_size, nil) ~= 0 then box.error() end
    return true
  end
end

local function ack_by_lua(q, now, ids)
  return function(number, fence)
    local key = { q, ids:sub(ID_BYTES * (number - 1) + 1, ID_BYTES * number) }
    local job = pq.jobs:get(key)
    if job == nil or not is_plain(#job, job[pq.FLAGS]) then return false end
    if job[pq.STATE] ~= pq.LEASED or job[pq.FENCE] ~= fence or job[pq.RANK] <= now then return false end
    pq.jobs:delete(key)
    return true
  end
end

-- A function that acks the job of this number among the ids, if it is leased by this fence and is plain. It counts nothing.
function pq.new_acker(q, now, ids)
  return (has_c and ack_by_c or ack_by_lua)(q, now, ids)
end
