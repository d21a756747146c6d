-- Bytes that are too large for a row of a job are stored in pieces beside it: a row is copied whenever something in it changes, and may not
-- be larger than `memtx_max_tuple_size`.
local pq = ...

local FIELDS = { pq.PAYLOAD, pq.ERROR, pq.PROGRESS, pq.RESULT }

-- What to put into the field. A table: the pieces, which are stored.
function pq.store_bytes(c, id, field, value)
  if type(value) ~= 'table' then return value end
  for index, piece in ipairs(value) do pq.blobs:replace({ c.q, id, field, index, piece }) end
  return #value
end

-- What this field has in pieces goes.
function pq.drop_bytes(q, job, field)
  local pieces = job[field]
  if type(pieces) ~= 'number' then return end
  for index = 1, pieces do pq.blobs:delete({ q, job[pq.ID], field, index }) end
end

-- All of a job goes.
function pq.drop_all_bytes(q, job)
  for _, field in ipairs(FIELDS) do pq.drop_bytes(q, job, field) end
end

-- Add { number, field, pieces } to `found` for each field of this job that stands in pieces. False when some are missing.
function pq.load_bytes(job, number, found)
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
  for _, field in ipairs(FIELDS) do
    if type(job[field]) == 'number' then bytes = bytes + job[field] * pq.PIECE end
  end
  return bytes
end

-- The size of a piece, but for the last one.
pq.PIECE = 256 * 1024
