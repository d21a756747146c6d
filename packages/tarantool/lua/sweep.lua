-- Sweeps away what truncated queues had, some at a time.
local pq = ...
local fiber = require('fiber')

local STEP = 500
-- Between two steps, in seconds.
local PAUSE = 0.005

-- The spaces that have a generation first, and the number of parts of their keys.
local SPACES = { { pq.jobs, 2 }, { pq.blobs, 4 }, { pq.keys, 2 }, { pq.lanes, 3 }, { pq.turns, 2 }, { pq.ends, 3 } }

local function sweep_some()
  local oldest = pq.garbage.index.pk:min()
  if oldest == nil then return nil, false end
  local left = STEP
  for _, each in ipairs(SPACES) do
    local space, parts = each[1], each[2]
    for _, row in ipairs(space.index.pk:select({ oldest[1] }, { limit = left })) do
      space:delete({ row:unpack(1, parts) })
      left = left - 1
    end
    if left == 0 then return nil, true end
  end
  pq.garbage:delete({ oldest[1] })
  return nil, true
end

local function sweep()
  fiber.self():name('pq.sweep', { truncate = true })
  fiber.sleep(PAUSE)
  local ok, more = pcall(pq.transaction, sweep_some)
  while ok and more do
    fiber.sleep(PAUSE)
    ok, more = pcall(pq.transaction, sweep_some)
  end
  pq.state.sweeping = false
end

function pq.sweep_soon()
  if pq.state.sweeping then return end
  pq.state.sweeping = true
  fiber.new(sweep)
end

if pq.garbage.index.pk:min() ~= nil then pq.sweep_soon() end
