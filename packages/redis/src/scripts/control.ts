/**
 * control: ARGV request, type, then what the type needs. Answers the count, and for dig and delete a letter for each id:
 * `d` done, `n` not found, `i` invalid state.
 *
 * kick: ARGV limit. Kicks up to `KICKS`, and answers `more` and how many so far while there is more to do. The same call then goes on from there, since
 * this answer is kept like any other.
 */
import { type Script, script } from "./script.ts";

const step = String.raw`
local request, kind = ARGV[1], ARGV[2]
local KICKS = 1000
local known = recall(request)
local before = 0
if known and sub(known, 1, 5) == 'more ' then
  before = tonumber(sub(known, 6))
elseif known then
  return repeated(request, known)
end
catchUp()

local function revive(job, counter)
  count(counter)
  withdraw(job)
  job.attempt, job.reason = 0, '-'
  toEnd(job)
end

local function kick()
  local left = tonumber(ARGV[3]) - before
  local ids = call('ZRANGE', BURIED, 0, math.min(left, KICKS) - 1)
  for _, id in ipairs(ids) do
    local job = load(id)
    if job then revive(job, 'kick') else call('ZREM', BURIED, id) end
  end
  local all = before + #ids
  if #ids == KICKS and left > KICKS then return 'more ' .. all end
  return all .. ' '
end

local function eachId(act)
  local blob, outcomes, done = ARGV[3], {}, 0
  for at = 1, #blob, 16 do
    local job = current(sub(blob, at, at + 15))
    local outcome = job and act(job) or 'n'
    if outcome == 'd' then done = done + 1 end
    outcomes[#outcomes + 1] = outcome
  end
  return done .. ' ' .. table.concat(outcomes)
end

local function truncate()
  local n = call('HLEN', JOBS)
  call('UNLINK', JOBS, FEATURES, STATES, EXTRAS, FIFO, GONE, ORDERED, BLOCKED, LANES, GROUPS, DELAYED, LEASED, TAKES,
    ENDS, BURIED, DONE, NAMES)
  count('delete', n)
  return n .. ' '
end

local answer = '0 '
if kind == 'kick' then
  answer = kick()
elseif kind == 'dig' then
  answer = eachId(function(job)
    if job.kind ~= 'b' then return 'i' end
    revive(job, 'dig')
    return 'd'
  end)
elseif kind == 'delete' then
  answer = eachId(function(job)
    count('delete')
    drop(job)
    return 'd'
  end)
elseif kind == 'truncate' then
  answer = truncate()
elseif kind == 'pause' then
  call('HSET', META, 'paused', 1)
elseif kind == 'resume' then
  call('HDEL', META, 'paused')
  paused = false
  fresh = call('ZCARD', ORDERED) + 64 * call('LLEN', FIFO)
end
remember(request, answer)
finish()
return answer
`;

/** Operators' commands. */
export const control: Script = script({ name: "control", step });
