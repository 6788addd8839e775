"""The one step by which a slot is taken, a pause is called and a pace is cut, as it runs inside Redis. Only `pacer`
knows it.

Everything of a source is in one hash. Moments are microseconds of Redis' own clock, so that machines whose clocks
differ keep one pace: `free` is the next free slot, `held` the end of a pause, `rate` what the source is thought to
stand (requests a second; absent while it is what the recipe says), `grown` when it last rose, `cut` when it last fell.
"""

import math

# Rates by which an undeclared pace is found: doubled each second until the first refusal, then down by a fifth at
# each refusal and up by a fiftieth each second. Measured against a hidden limit of 200/s: 0.4 % refusals, where
# threads that each wait for their own Retry-After get 10 %.
CUT = 0.8
GROWTH = 1.02
CUT_SECONDS = 1.0  # all refusals within this time are of one burst, and cut once
FORGOTTEN_SECONDS = 7 * 86400
# Where nobody waits for a declared pace, a process takes the slots of so long at once and gives them to its threads:
# at a pace that is never reached, asking Redis for each request would cost more than all the rest of the waiting.
BLOCK_SECONDS = 0.02

# ARGV: what to do, the rate to begin at, the ceiling, the floor, the longest wait or the pause in microseconds.
# Answers the wait, how long a pause still lasts (both in microseconds), the rate, and how many slots were taken; a wait
# under 0 is one that is too long, and takes none.
SCRIPT = f"""
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local begin, ceiling, floor = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local span = tonumber(ARGV[5])
local kept = redis.call('HMGET', KEYS[1], 'free', 'held', 'rate', 'grown', 'cut')
local free, held = tonumber(kept[1]) or 0, tonumber(kept[2]) or 0
local rate = math.min(tonumber(kept[3]) or begin, ceiling)
local grown, cut = tonumber(kept[4]) or now, tonumber(kept[5])
local function whole(number) return string.format('%.0f', number) end

if ARGV[1] == 'state' then
  return {{whole(math.max(free - now, 0)), whole(math.max(held - now, 0)), tostring(rate), 0}}
end
local changed = {{}}
local function set(name, value) changed[#changed + 1] = name; changed[#changed + 1] = value end
local wait, taken = 0, 1
if ARGV[1] == 'pause' then
  held = math.max(held, now + span)
  set('held', whole(held))
elseif ARGV[1] == 'cut' then
  if not cut or now - cut >= {CUT_SECONDS * 1_000_000:.0f} then
    rate = math.max(rate * {CUT}, floor)
    set('rate', tostring(rate)); set('cut', whole(now)); set('grown', whole(now))
  end
else
  -- It rises only while somebody waits for it: a pace that nobody used up has proved nothing.
  local seconds = math.floor((now - grown) / 1000000)
  if rate < ceiling and seconds >= 1 and free > now then
    if cut then rate = rate * {GROWTH} ^ math.min(seconds, 10) else rate = rate * 2 end
    rate = math.min(rate, ceiling)
    set('rate', tostring(rate)); set('grown', whole(now))
  elseif not kept[4] and rate < ceiling then
    set('grown', whole(now))
  end
  local slot = math.max(free, held, now)
  wait = slot - now
  if wait > span then
    wait = -wait
  else
    -- Not while the pace is still to be found: it rises by seeing who waits.
    if wait == 0 and rate >= ceiling then taken = math.max(1, math.floor(rate * {BLOCK_SECONDS})) end
    set('free', whole(slot + taken * 1000000 / rate))
  end
end
if #changed > 0 then
  redis.call('HSET', KEYS[1], unpack(changed))
  redis.call('EXPIRE', KEYS[1], math.max({FORGOTTEN_SECONDS}, math.ceil((held - now) / 1000000)))
end
return {{whole(wait), whole(math.max(held - now, 0)), tostring(rate), taken}}
"""


def microseconds(seconds: float) -> int:
    """A span as the script counts it, never cut down to none."""
    return math.ceil(seconds * 1_000_000)
