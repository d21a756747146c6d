-- What a take changes in the row of a job. It is the most expensive thing that is done here: `space:update` reads tables of operations, and makes an
-- object of the new row that nobody wants. So the operations are written as MessagePack once for a take, with room for what differs from job to job, and
-- given to `box_update` of the server's public C interface, which yields no more than `space:update` does.
local pq = ...
local ffi = require('ffi')
local bit = require('bit')
local msgpack = require('msgpack')
local bswap, floor = bit.bswap, math.floor

-- Declared once, for all prefixes and versions of the scripts.
pcall(ffi.cdef, [[
int box_update(uint32_t space_id, uint32_t index_id, const char *key, const char *key_end, const char *ops, const char *ops_end,
  int index_base, void **result);
]])
local has_c = ffi.abi('le') and pcall(function() return ffi.C.box_update end)

-- Room for an unsigned number of 8 bytes: the kind of MessagePack, and the bytes.
local NUMBER = '\207' .. ('\0'):rep(8)
local ID_BYTES = 16

local function put_number(bytes, at, value)
  local high = floor(value / 4294967296)
  local words = ffi.cast('int32_t *', bytes + at)
  words[0], words[1] = bswap(high), bswap(value - high * 4294967296)
end

local function operation(field, value)
  return '\147' .. msgpack.encode('=') .. msgpack.encode(field) .. value
end

-- A text as bytes that can be changed, and its length.
local function bytes_of(text)
  local bytes = ffi.new('char[?]', #text)
  ffi.copy(bytes, text, #text)
  return bytes, #text
end

local function by_c(q, member)
  local key, key_size = bytes_of('\146' .. msgpack.encode(q) .. msgpack.encode(('\0'):rep(ID_BYTES)))
  local id_at = key_size - ID_BYTES
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

local function by_lua(q, member)
  return function(id, ends, fence, attempt)
    pq.jobs:update({ q, id }, {
      { '=', pq.STATE, pq.LEASED }, { '=', pq.HOLDER, member },
      { '=', pq.RANK, ends }, { '=', pq.FENCE, fence }, { '=', pq.ATTEMPT, attempt },
    })
  end
end

-- A function that leases jobs of this generation for this member.
function pq.new_leaser(q, member)
  return (has_c and by_c or by_lua)(q, member)
end
