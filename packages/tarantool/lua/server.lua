-- What the server says of itself.
local pq = ...

-- How many instances replicate each other, this one included.
local function members()
  local count = 0
  for _ in pairs(box.info.replication) do count = count + 1 end
  return count
end

function pq.plain.server()
  local cfg = box.cfg
  return {
    version = _TARANTOOL,
    engine = pq.jobs.engine,
    wal_mode = cfg.wal_mode,
    ro = box.info.ro,
    net_msg_max = cfg.net_msg_max,
    force_recovery = cfg.force_recovery,
    members = members(),
    is_sync = pq.jobs.is_sync == true,
    quorum = tostring(cfg.replication_synchro_quorum),
  }
end
