/**
 * The end of a script: counters, and news for those who wait.
 *
 * A process that waits is registered in `waiters` and blocks on `wake`. Tokens left in `wake` mean that nobody is blocked right now,
 * so there are never more tokens than waiters.
 * `alarm` is the earliest moment, known to all who wait, at which something falls due (-1: none). What falls due before it is news for all of them,
 * unless they will have looked again by then.
 */
export const wake: string = String.raw`
local WAKE = root .. 'wake'
local function wake(tokens, soonest)
  local waiting = call('ZCARD', WAITERS)
  if waiting == 0 then return end
  if tokens > 0 and not paused then
    for _ = 1, math.min(tokens, waiting - call('LLEN', WAKE)) do call('RPUSH', WAKE, 'j') end
  end
  if soonest == math.huge or alarm > now and alarm <= soonest then return end
  if soonest >= tonumber(call('ZRANGE', WAITERS, -1, -1, 'WITHSCORES')[2]) then return end
  call('HSET', META, 'alarm', soonest)
  for _ = 1, waiting - call('LLEN', WAKE) do call('RPUSH', WAKE, 'a') end
end
`;

/** Write down what the script has counted, and wake whom it concerns. */
export const finish: string = String.raw`
local function finish()
  flush()
  for counter, n in pairs(counted) do call('HINCRBY', META, counter, n) end
  local first = 9007199254740991
  for _, key in ipairs({ LEASED, DELAYED, ENDS }) do
    local moment = call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]
    if moment then first = math.min(first, tonumber(moment)) end
  end
  -- Who only looks writes nothing, unless something was due.
  if first ~= next and format and (not LOOKS or next <= now) then call('HSET', META, 'next', first) end
  if fresh > 0 or soonest < math.huge then wake(fresh, soonest) end
end
`;
