-- Bytes that are too large for a row of a job are stored in pieces beside it: a row is copied whenever something in it changes, and may not
-- be larger than `memtx_max_tuple_size`. A job that has any is flagged IN_PIECES.
local pq = ...
local FLAGS, IN_PIECES = pq.FLAGS, pq.IN_PIECES

local FIELDS = { pq.PAYLOAD, pq.ERROR, pq.PROGRESS, pq.RESULT }
-- The size of a piece, but for the last one. Small: memtx keeps up to 16 MB of memory for each size of rows, 5 % apart, that there ever was; so
-- few jobs with payloads of many sizes would take up all of it.
local PIECE = 8 * 1024

-- What to put into the field. A table: the pieces, which are stored.
local function store(c, id, field, value)
  if type(value) ~= 'table' then return value end
  for index, piece in ipairs(value) do pq.blobs:replace({ c.q, id, field, index, piece }) end
  return #value
end

function pq.is_in_pieces(job)
  return job[FLAGS] >= IN_PIECES
end

-- The payload of a row that is to be inserted.
function pq.store_payload(c, row)
  local payload = row[pq.PAYLOAD]
  if type(payload) ~= 'table' then return end
  row[pq.PAYLOAD] = store(c, row[pq.ID], pq.PAYLOAD, payload)
  row[FLAGS] = row[FLAGS] + IN_PIECES
end

-- What this field has in pieces goes.
local function drop(c, job, field)
  local pieces = job[field]
  if type(pieces) ~= 'number' then return end
  for index = 1, pieces do pq.blobs:delete({ c.q, job[pq.ID], field, index }) end
end

-- All of a job goes.
function pq.drop_bytes(c, job)
  if not pq.is_in_pieces(job) then return end
  for _, field in ipairs(FIELDS) do drop(c, job, field) end
end

-- Add to `ops` that this field has other bytes now.
function pq.replace_bytes(c, job, field, value, ops)
  drop(c, job, field)
  ops[#ops + 1] = { '=', field, store(c, job[pq.ID], field, value) }
  if type(value) == 'table' then ops[#ops + 1] = { '|', FLAGS, IN_PIECES } end
end

-- Add { number, field, pieces } to `found` for each field of this job that stands in pieces. False when some are missing.
function pq.load_bytes(job, number, found)
  if not pq.is_in_pieces(job) then return true end
  for _, field in ipairs(FIELDS) do
    local pieces = job[field]
    if type(pieces) == 'number' then
      local bytes = {}
      for index = 1, pieces do
        local piece = pq.blobs:get({ job[pq.Q], job[pq.ID], field, index })
        if piece == nil then return false end
        bytes[index] = piece[5]
      end
      found[#found + 1] = { number, field, bytes }
    end
  end
  return true
end

-- The bytes that a job brings along.
function pq.bytes_of(job)
  local bytes = job:bsize()
  if not pq.is_in_pieces(job) then return bytes end
  for _, field in ipairs(FIELDS) do
    if type(job[field]) == 'number' then bytes = bytes + job[field] * PIECE end
  end
  return bytes
end
