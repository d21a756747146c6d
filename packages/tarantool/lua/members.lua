-- Members: the processes that hold leases. A member says hello on each of its connections. When it says bye, what it holds comes back at once;
-- when the last of its connections is gone, it has `grace` to come back on another one, so that a cut line alone costs nobody a lease.
-- What is known of members is in memory. After a restart of the server they have some seconds to say hello again.
local pq = ...
local fiber = require('fiber')

-- In seconds.
local AFTER_RESTART = 5
-- Leases that one transaction ends.
local STEP = 500

local state = pq.state
state.members = state.members or {}
state.sessions = state.sessions or {}

local function end_some(name, is_over, last_fence)
  local c = pq.find_queue(name)
  if c == nil then return nil, false end
  local found = {}
  for _, job in pq.jobs.index.order:pairs({ c.q, pq.LEASED }) do
    if job[pq.FENCE] <= last_fence and is_over(job[pq.HOLDER]) then found[#found + 1] = job end
    if #found == STEP then break end
  end
  for _, job in ipairs(found) do pq.end_lease(c, job) end
  return c, #found == STEP
end

-- End the leases that these holders have now, in all queues. Those that they get meanwhile, having come back, are theirs.
local function end_leases(is_over)
  local fences = {}
  for _, row in pq.queues:pairs() do fences[row[1]] = row[pq.LAST_FENCE] end
  for name, last_fence in pairs(fences) do
    while pq.transaction(end_some, name, is_over, last_fence) do fiber.yield() end
  end
end

local function gone(id)
  state.members[id] = nil
  end_leases(function(holder) return holder == id end)
end

-- Refused where nothing can be written: there is another instance for that.
function pq.plain.hello(id, grace)
  if box.info.ro then box.error(box.error.READONLY) end
  local session = box.session.id()
  local member = state.members[id] or { id = id, connections = 0 }
  member.grace = grace / 1000
  if state.sessions[session] ~= member then
    state.sessions[session] = member
    member.connections = member.connections + 1
  end
  state.members[id] = member
end

-- The member goes, and gives back what it holds.
function pq.plain.bye(id)
  if not box.info.ro then gone(id) end
end

local function disconnected()
  local session = box.session.id()
  pq.forget_waiters(session)
  local member = state.sessions[session]
  if member == nil then return end
  state.sessions[session] = nil
  member.connections = member.connections - 1
  if member.connections > 0 or state.members[member.id] ~= member then return end
  -- It may come and go again meanwhile: then the grace begins anew.
  local left = (member.left or 0) + 1
  member.left = left
  fiber.create(function()
    fiber.self():name('pq.gone', { truncate = true })
    fiber.sleep(member.grace)
    if member.connections > 0 or member.left ~= left or state.members[member.id] ~= member then return end
    pcall(gone, member.id)
  end)
end

box.session.on_disconnect(disconnected, state.on_disconnect)
state.on_disconnect = disconnected

local function is_orphan(holder)
  return state.members[holder] == nil
end

-- Whenever this instance begins to take writes, by a start or a failover: leases of those who do not come back.
if not state.started then
  state.started = true
  fiber.create(function()
    fiber.self():name('pq.orphans', { truncate = true })
    while true do
      box.ctl.wait_rw()
      fiber.sleep(AFTER_RESTART)
      pcall(end_leases, is_orphan)
      pq.sweep_soon()
      box.ctl.wait_ro()
    end
  end)
end
