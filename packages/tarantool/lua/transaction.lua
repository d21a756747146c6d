-- Each call of a method in `pq.methods` is one transaction, with nothing in it that yields: so nobody sees the half of it, and all of it is written or none.
-- A method gives its queue first (or nil), then what is answered. Whoever waits is told when all is written.
local pq = ...

local function saved(c, ...)
  if c ~= nil then pq.save(c) end
  return c, ...
end

local function attempt(act, ...)
  return saved(act(...))
end

local function conclude(ok, c, ...)
  if not ok then
    box.rollback()
    error(c, 0)
  end
  box.commit()
  if c ~= nil then pq.tell(c) end
  return ...
end

function pq.transaction(act, ...)
  if box.info.ro then box.error(box.error.READONLY) end
  box.begin()
  return conclude(pcall(attempt, act, ...))
end
