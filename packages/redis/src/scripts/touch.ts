/**
 * touch: ARGV request, items, then the progress of those items that bring one, in their order.
 * Items are: id (16), fence (6), lease in ms (7), 1 if there is progress (1). Answers '1' (extended) or '0' (lost) for each.
 */
import { type Script, script } from "./script.ts";

const step = String.raw`
local request, items = ARGV[1], ARGV[2]
local known = recall(request)
if known then return repeated(request, known) end
catchUp()

local SIZE, n = 30, #items / 30
local ids = {}
for i = 1, n do ids[i] = sub(items, (i - 1) * SIZE + 1, (i - 1) * SIZE + 16) end
local states = gather('HMGET', STATES, ids)
local ends = gather('ZMSCORE', LEASED, ids)
local text, outcomes, extended = 2, {}, {}
for i = 1, n do
  local at, state = (i - 1) * SIZE, states[i]
  local lease, has = read('>I7B', items, at + 23)
  text = text + has
  local until_ = ends[i] and tonumber(ends[i]) or 0
  if state and until_ > now and sub(state, 17, 22) == sub(items, at + 17, at + 22) then
    outcomes[i] = '1'
    extended[#extended + 1] = math.max(until_, now + lease)
    extended[#extended + 1] = ids[i]
    if has == 1 then
      local job = readState(ids[i], state)
      keep(job, 2, 'p', ARGV[text])
      save(job)
    end
  else
    outcomes[i] = '0'
  end
end
if #extended > 0 then
  each('ZADD', LEASED, extended)
  count('touch', #extended / 2)
end
local answer = table.concat(outcomes)
remember(request, answer)
finish()
return answer
`;

/** Extend leases. */
export const touch: Script = script({ name: "touch", step });
