-- Waiting: a call that is answered when a job may be taken. Those who wait for a queue stand in a line, and n jobs wake the first n of them.
--
-- Time makes jobs ready without a call. While somebody stands in line, a fiber of the queue looks at the moments when something falls due.
-- Lines are in memory only: who waited on a server that went asks again.
local pq = ...
local fiber = require('fiber')

-- Each who waits takes up one of the requests that the server has under way, of which there are `net_msg_max`.
local SHARE = 0.5
-- How long the fiber sleeps when nothing is to come, and after an error; in seconds.
local LONG, RETRY = 3600, 1

local READY, NOTHING, TOO_MANY = 1, 0, 2

local state = pq.state
state.lines = state.lines or {}
state.waiting = state.waiting or 0

-- Up to so many of the line may go.
local function wake(line, count)
  while count > 0 and #line > 0 do
    local waiter = table.remove(line, 1)
    waiter.woken = true
    waiter.cond:signal()
    count = count - 1
  end
end

-- A call has changed this queue, and that is written.
function pq.tell(c)
  local line = state.lines[c.name]
  if line == nil then return end
  if not c.paused then wake(line, c.freed) end
  if c.soon >= line.moment and #line > 0 then return end
  line.moment = math.min(line.moment, c.soon)
  line.alarm:signal()
end

-- Is there something to take?
local function look(name)
  local c = pq.find_queue(name)
  if c == nil then return nil, false end
  local is_done = pq.catch_up(c)
  if c.paused then return c, false, pq.next_moment(c) end
  return c, not is_done or pq.jobs.index.order:min({ c.q, pq.READY }) ~= nil, pq.next_moment(c)
end

-- Looks again whenever something falls due, until the line is empty.
local function watch(name, line)
  while #line > 0 do
    -- It may have to wait for the log. What is told meanwhile is kept in `moment`.
    line.moment = math.huge
    local ok, _, moment = pcall(pq.transaction, look, name)
    if ok and moment ~= nil then line.moment = math.min(line.moment, moment) end
    local pause = ok and math.min(LONG, math.max(0.001, (line.moment - pq.now()) / 1000)) or RETRY
    if #line > 0 then line.alarm:wait(pause) end
  end
  line.watched = false
  if state.lines[name] == line and #line == 0 then state.lines[name] = nil end
end

local function join(name, waiter)
  local line = state.lines[name]
  if line == nil then
    line = { alarm = fiber.cond(), moment = math.huge, watched = false }
    state.lines[name] = line
  end
  line[#line + 1] = waiter
  if not line.watched then
    line.watched = true
    fiber.create(watch, name, line):name('pq.wait', { truncate = true })
  end
  return line
end

local function leave(line, waiter)
  for place, other in ipairs(line) do
    if other == waiter then
      table.remove(line, place)
      if #line == 0 then line.alarm:signal() end
      return
    end
  end
end

-- Answers READY when a job may be there; TOO_MANY at once when the server has enough who wait.
function pq.plain.wait(name, token, timeout)
  if state.waiting >= SHARE * box.cfg.net_msg_max then return TOO_MANY end
  local waiter = { token = token, session = box.session.id(), cond = fiber.cond(), woken = false, over = false }
  state.waiting = state.waiting + 1
  local line = join(name, waiter)
  local ok, found = pcall(pq.transaction, look, name)
  if ok and not found and not waiter.woken and not waiter.over then waiter.cond:wait(timeout / 1000) end
  state.waiting = state.waiting - 1
  leave(line, waiter)
  if not ok then error(found, 0) end
  return (found or waiter.woken) and READY or NOTHING
end

local function each_waiter(act)
  for _, line in pairs(state.lines) do
    for place = #line, 1, -1 do act(line[place], line) end
  end
end

local function send_home(waiter, line)
  waiter.over = true
  leave(line, waiter)
  waiter.cond:signal()
end

-- Whoever waits by this token goes home.
function pq.plain.stop_waiting(name, token)
  local line = state.lines[name]
  for place = #(line or {}), 1, -1 do
    local waiter = line[place]
    if waiter.token == token then send_home(waiter, line) end
  end
end

-- Somebody was woken who had gone: another one may have the job.
function pq.plain.hand_on(name)
  local line = state.lines[name]
  if line ~= nil then wake(line, 1) end
end

-- This connection is gone.
function pq.forget_waiters(session)
  each_waiter(function(waiter, line)
    if waiter.session == session then send_home(waiter, line) end
  end)
end
