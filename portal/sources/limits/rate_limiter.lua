-- Takes a slot, starts a pause, lowers the rate or reads the state of one source, in one step.
--
-- KEYS[1] is the hash that holds everything about the source:
--   free   the next free slot         held   the end of a pause
--   rate   requests a second that the source is thought to accept; absent while it is the recipe's own rate
--   grown  when the rate last rose    cut    when the rate last fell
-- Moments are microseconds on Redis' own clock, so that machines whose clocks differ keep one rate.
--
-- ARGV:
--   1 command: slot, pause, cut or state
--   2 rate to start at   3 ceiling   4 floor, in requests a second
--   5 slot: the longest wait; pause: its length, in microseconds
--   6 factor of a cut    7 factor of growth   8 microseconds within which all refusals count as one
--   9 seconds of slots that one call may take ahead   10 seconds after which an unused source is forgotten
--   11 how many slots are wanted now; those are taken that are not too far away
--
-- Returns the wait and the rest of a pause, both in microseconds, the rate, and how many slots were taken. A negative
-- wait is longer than allowed; no slot was taken then.
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local command = ARGV[1]
local start, ceiling, floor = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local span = tonumber(ARGV[5])
local cut_factor, growth, burst = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local block_seconds, forget_seconds = tonumber(ARGV[9]), tonumber(ARGV[10])
local stored = redis.call('HMGET', KEYS[1], 'free', 'held', 'rate', 'grown', 'cut')
local free, held = tonumber(stored[1]) or 0, tonumber(stored[2]) or 0
local rate = math.min(tonumber(stored[3]) or start, ceiling)
local grown, cut = tonumber(stored[4]) or now, tonumber(stored[5])
local function whole(number) return string.format('%.0f', number) end

if command == 'state' then
  return {whole(math.max(free - now, 0)), whole(math.max(held - now, 0)), tostring(rate), 0}
end
local changed = {}
local function set(name, value) changed[#changed + 1] = name; changed[#changed + 1] = value end
local wait, taken = 0, 1
if command == 'pause' then
  held = math.max(held, now + span)
  set('held', whole(held))
elseif command == 'cut' then
  if not cut or now - cut >= burst then
    rate = math.max(rate * cut_factor, floor)
    set('rate', tostring(rate)); set('cut', whole(now)); set('grown', whole(now))
  end
else
  -- The rate rises only while a request waits for a slot: a rate that is not used up proves nothing.
  local seconds = math.floor((now - grown) / 1000000)
  if rate < ceiling and seconds >= 1 and free > now then
    if cut then rate = rate * growth ^ math.min(seconds, 10) else rate = rate * 2 end
    rate = math.min(rate, ceiling)
    set('rate', tostring(rate)); set('grown', whole(now))
  elseif not stored[4] and rate < ceiling then
    set('grown', whole(now))
  end
  local slot = math.max(free, held, now)
  wait = slot - now
  if wait > span then
    wait = -wait
  else
    -- More slots than are wanted only at the full rate: while the rate is being found, waiting requests make it rise.
    local near = math.floor((span - wait) * rate / 1000000) + 1
    taken = math.max(1, math.min(tonumber(ARGV[11]), near))
    if wait == 0 and rate >= ceiling then taken = math.max(taken, math.floor(rate * block_seconds)) end
    set('free', whole(slot + taken * 1000000 / rate))
  end
end
if #changed > 0 then
  redis.call('HSET', KEYS[1], unpack(changed))
  redis.call('EXPIRE', KEYS[1], math.max(forget_seconds, math.ceil((held - now) / 1000000)))
end
return {whole(wait), whole(math.max(held - now, 0)), tostring(rate), taken}
