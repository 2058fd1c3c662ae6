/** Numbers and times as people read them. Times are epoch microseconds, as everywhere in the API. */

export type Zone = 'utc' | 'local'

export function incidentName(id: number): string {
  return `INC-${id}`
}

/** `Service shop/web`, `Node worker-2`: what lives in no namespace names none. */
export function objectName(object: { kind: string; namespace: string; name: string }): string {
  return `${object.kind} ${object.namespace && `${object.namespace}/`}${object.name}`
}

/** A running clock: `04:14`, `1:02:03`, `2d 03:00:00`. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  const days = Math.floor(whole / 86_400)
  const hours = Math.floor((whole % 86_400) / 3600)
  const minutes = two(Math.floor((whole % 3600) / 60))
  const rest = `${minutes}:${two(whole % 60)}`
  if (days > 0) return `${days}d ${two(hours)}:${rest}`
  return hours > 0 ? `${hours}:${rest}` : rest
}

/** How long something took: `41s`, `6m 18s`, `1h 04m`, `2d 3h`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  if (whole < 60) return `${whole}s`
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${two(whole % 60)}s`
  if (whole < 86_400) return `${Math.floor(whole / 3600)}h ${two(Math.floor((whole % 3600) / 60))}m`
  return `${Math.floor(whole / 86_400)}d ${Math.floor((whole % 86_400) / 3600)}h`
}

/** `just now`, `12s ago`, `6m ago`, `3h ago`, `2d ago`; the future is `just now` too. */
export function relative(us: number, nowUs: number): string {
  const seconds = Math.floor((nowUs - us) / 1_000_000)
  if (seconds < 5) return 'just now'
  if (seconds < 60) return `${seconds}s ago`
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ago`
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h ago`
  return `${Math.floor(seconds / 86_400)}d ago`
}

const UNITS = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi']

/** A Kubernetes quantity for people, one decimal at most: 50331648 is `48Mi`. */
export function bytes(count: number): string {
  let value = count
  let unit = 0
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${value.toFixed(1).replace(/\.0$/, '')}${UNITS[unit]}`
}

/** `0.917` is `92%`. */
export function percent(share: number): string {
  return `${Math.round(share * 100)}%`
}

/** `1 pod`, `1,204 pods`. */
export function plural(count: number, noun: string, many = `${noun}s`): string {
  return `${number(count)} ${count === 1 ? noun : many}`
}

export function number(count: number): string {
  return count.toLocaleString('en')
}

/** `09:05:22`, with the day in front where it is not today. */
export function time(us: number, zone: Zone, nowUs: number): string {
  const moment = parts(us, zone)
  const today = parts(nowUs, zone)
  const clockText = `${moment.hour}:${moment.minute}:${moment.second}`
  const isToday = ['year', 'month', 'day'].every((part) => moment[part] === today[part])
  return isToday ? clockText : `${moment.month}-${moment.day} ${clockText}`
}

/** `09:05`, for axes. */
export function shortTime(us: number, zone: Zone): string {
  const moment = parts(us, zone)
  return `${moment.hour}:${moment.minute}`
}

/** `2026-03-04 09:05:22 UTC`, or with the browser's own zone. */
export function dateTime(us: number, zone: Zone): string {
  const moment = parts(us, zone)
  const day = `${moment.year}-${moment.month}-${moment.day}`
  return `${day} ${moment.hour}:${moment.minute}:${moment.second} ${zoneName(us, zone)}`
}

/** The exact moment, for `datetime` and titles. */
export function iso(us: number): string {
  return new Date(us / 1000).toISOString()
}

/** `UTC`, or what the browser calls its own zone then: `GMT+9`, `CET`. */
export function zoneName(us: number, zone: Zone): string {
  if (zone === 'utc') return 'UTC'
  const found = new Intl.DateTimeFormat('en', { timeZoneName: 'short' })
    .formatToParts(us / 1000)
    .find((part) => part.type === 'timeZoneName')
  return found?.value ?? 'local'
}

function parts(us: number, zone: Zone): Record<string, string> {
  const format = FORMATS[zone]
  return Object.fromEntries(format.formatToParts(us / 1000).map((part) => [part.type, part.value]))
}

const FORMATS: Record<Zone, Intl.DateTimeFormat> = { utc: formatIn('UTC'), local: formatIn() }

function formatIn(timeZone?: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat('en-GB', {
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
    ...(timeZone === undefined ? {} : { timeZone }),
  })
}

function two(value: number): string {
  return String(value).padStart(2, '0')
}
