-- Grants one attempt its share of a source's places, or takes it back, in one step.
--
-- KEYS[1] is a hash with one field for each attempt that has or wants places: "held wanted seen since".
--   held    places it may use, or still uses       wanted   how many it could use
--   seen    when it last asked                     since    when it began to hold places, or to wait for the first
-- Moments are milliseconds on Redis' own clock, so that machines whose clocks differ agree.
--
-- ARGV:
--   1 the attempt   2 its requests in flight   3 how many places it could use, 0 gives all back   4 places of the source
--   5 milliseconds after which a silent attempt loses what it holds   6 after which a silent one waits no longer
--   7 milliseconds that an attempt may hold its place while others have none
--
-- Returns how many requests the attempt may have in flight. It may be fewer than it has: then none is added.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local caller, flying, wanted, limit = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local lease, patience, turn = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
if wanted == 0 then
  redis.call('HDEL', KEYS[1], caller)
  return 0
end
local mine, others, free = nil, {}, limit
local stored = redis.call('HGETALL', KEYS[1])
for n = 1, #stored, 2 do
  local held, wants, seen, since = string.match(stored[n + 1], '^(%d+) (%d+) (%d+) (%d+)$')
  local one = {held = tonumber(held) or 0, wanted = tonumber(wants), since = tonumber(since)}
  local silence = now - (tonumber(seen) or 0)
  if silence > lease or (one.held == 0 and silence > patience) then
    redis.call('HDEL', KEYS[1], stored[n])
  elseif stored[n] == caller then
    mine = one
  else
    others[#others + 1] = one
    free = free - one.held
  end
end
mine = mine or {held = 0, since = now}
local share = math.floor(limit / (#others + 1))
local granted
if share >= 1 then
  -- What the others do not use of their shares is free for this one.
  local claimed = 0
  for _, other in ipairs(others) do claimed = claimed + math.max(other.held, math.min(other.wanted, share)) end
  granted = math.min(wanted, limit - claimed)
else
  -- More attempts than places: they take turns, the one that has waited longest first.
  local waiting, longer = 0, 0
  for _, other in ipairs(others) do
    if other.held == 0 then
      waiting = waiting + 1
      if other.since < mine.since then longer = longer + 1 end
    end
  end
  if mine.held > 0 then
    granted = (waiting > 0 and now - mine.since >= turn) and 0 or math.min(1, free)
  else
    granted = free > longer and 1 or 0
  end
end
granted = math.max(granted, 0)
local held = math.max(granted, flying)
local since = ((held > 0) == (mine.held > 0)) and mine.since or now
redis.call('HSET', KEYS[1], caller, string.format('%d %d %.0f %.0f', held, wanted, now, since))
redis.call('PEXPIRE', KEYS[1], 2 * lease)
return granted
