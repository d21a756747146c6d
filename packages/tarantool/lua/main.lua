-- The one function that clients call: the name of a method, and what it wants.
local pq = ...

function pq.call(method, ...)
  local plain = pq.plain[method]
  if plain ~= nil then return plain(...) end
  local act = pq.methods[method]
  if act == nil then error('pq: there is no method ' .. tostring(method), 0) end
  return pq.transaction(act, ...)
end
