-- What calls were answered, so that one whose reply was lost may be made again. An answer is kept for a minute, or for as many calls of its queue.
local pq = ...
local KEPT_MS, KEPT_CALLS = 60000, 10000
-- So many old ones go with each new one: more than come.
local DROPPED = 2

-- Texts longer than this are stored as { text, length }, filled up to the next power of 2: memtx keeps memory for each size of rows that there ever was.
local LONG = 8192

local function packed(answer)
  if type(answer) ~= 'string' or #answer <= LONG then return answer end
  local size = LONG
  while size < #answer do size = size * 2 end
  return { answer .. (' '):rep(size - #answer), #answer }
end

local function unpacked(stored)
  if type(stored) ~= 'table' or type(stored[1]) ~= 'string' then return stored end
  return stored[1]:sub(1, stored[2])
end

-- The answer of this request, or nil. Whoever is told it must be sure of it: it may stand in no log yet, and who writes waits for that.
function pq.known(c, request)
  local row = pq.answers:get({ c.n, request })
  if row == nil then return nil end
  pq.answers:update({ c.n, request }, { { '=', 4, row[4] } })
  return unpacked(row[5])
end

-- Was this request answered?
function pq.is_known(c, request)
  return pq.answers:get({ c.n, request }) ~= nil
end

function pq.remember(c, request, answer)
  local call = pq.next_call(c)
  pq.answers:replace({ c.n, request, call, c.now, packed(answer) })
  for _ = 1, DROPPED do
    local oldest = pq.answers.index.age:min({ c.n })
    if oldest == nil or (oldest[3] > call - KEPT_CALLS and oldest[4] > c.now - KEPT_MS) then return end
    pq.answers:delete({ c.n, oldest[2] })
  end
end
