/**
 * listen: what a process does before it blocks on `wake`, and again when something falls due while it is blocked.
 * ARGV waiter, for how many ms it will block, whether it is blocked already ('1').
 * Answers false when a job can be taken (not asked of one that is blocked: a token wakes whose turn it is), else how many ms from now the
 * next thing falls due (-1: nothing does) and how many others wait that came before.
 *
 * Job tokens that nobody has consumed mean that nobody is blocked. When there is no job for them any more they are dropped. Those about the time stay:
 * somebody who has looked before the news and is not blocked yet must find them.
 */
import { type Script, script } from "./script.ts";

const step = String.raw`
local waiter, patience, blocked = ARGV[1], tonumber(ARGV[2]), ARGV[3] == '1'
local GRACE = 2000
call('ZREMRANGEBYSCORE', WAITERS, '-inf', now - 1)
catchUp()
finish()
if not blocked then
  if not paused and (behind or call('EXISTS', ORDERED) == 1 or call('EXISTS', FIFO) == 1) then return false end
  call('LREM', WAKE, 0, 'j')
  call('ZADD', WAITERS, now + patience + GRACE, waiter)
  -- Puts need not look for waiters once the last of them has left.
  call('PEXPIREAT', WAITERS, call('ZRANGE', WAITERS, -1, -1, 'WITHSCORES')[2])
end
local due = call('ZRANGE', DELAYED, 0, 0, 'WITHSCORES')[2]
local over = call('ZRANGE', LEASED, 0, 0, 'WITHSCORES')[2]
local first = math.min(tonumber(due) or math.huge, tonumber(over) or math.huge)
-- The others may know of an earlier moment: that stays what is known.
if alarm > now and alarm < first then first = alarm end
call('HSET', META, 'alarm', first < math.huge and first or -1)
return { first < math.huge and math.max(0, first - now) or -1, call('ZRANK', WAITERS, waiter) or 0 }
`;

/** Register as waiting, or look at the time again. */
export const listen: Script = script({ name: "listen", step, readOnly: true });

/**
 * handOn: a process that waits no longer got a token for a job. Somebody else gets it, if there still is a job.
 */
export const handOn: Script = script({
  name: "handOn",
  readOnly: true,
  step: String.raw`
if call('EXISTS', ORDERED) == 1 or call('EXISTS', FIFO) == 1 then wake(1, math.huge) end
return false
`,
});
