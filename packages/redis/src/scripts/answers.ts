/**
 * Repeated calls: what a call answered is kept under its request id, and given again.
 *
 * Two generations, so that old answers go as one key: the younger one is full after 10,000 calls or 60 seconds and takes the place of
 * the older one. So an answer is kept for at least that long. A generation that nobody renews ends by itself.
 */
export const answers: string = String.raw`
local GENERATION, WINDOW = 10000, 60000

local function recall(request)
  return call('HGET', ANSWERS, request) or call('HGET', OLDER, request)
end

-- More fields and values for meta go along.
local function remember(request, answer, ...)
  local before = tonumber(calls or 0)
  if before >= GENERATION or now - tonumber(since or 0) >= WINDOW then
    call('UNLINK', OLDER)
    if call('EXISTS', ANSWERS) == 1 then call('RENAME', ANSWERS, OLDER) end
    before = 0
  end
  call('HSET', ANSWERS, request, answer)
  if before == 0 then
    call('PEXPIRE', ANSWERS, 2 * WINDOW + 5000)
    call('HSET', META, 'since', now)
  end
  call('HSET', META, 'calls', before + 1, ...)
end

-- Kept again, which is a write: a client that waits until replicas have its writes then waits for the first one too.
local function repeated(request, answer)
  remember(request, answer)
  return answer
end
`;
