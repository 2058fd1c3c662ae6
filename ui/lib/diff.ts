import { diffWordsWithSpace } from 'diff'

/** A piece of a line; `isChanged` marks the words that differ from the line's counterpart. */
export interface Part {
  text: string
  isChanged: boolean
}

export interface DiffRow {
  kind: 'context' | 'added' | 'removed' | 'hunk'
  before: number | null
  after: number | null
  parts: Part[]
}

const HUNK = /^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@/

/** The rows of a unified diff, with line numbers and the changed words of each changed line. */
export function diffRows(unified: string): DiffRow[] {
  const rows: DiffRow[] = []
  let before = 1
  let after = 1
  let isInHunk = false
  for (const line of unified.split('\n')) {
    const hunk = HUNK.exec(line)
    if (hunk) {
      before = Number(hunk[1])
      after = Number(hunk[2])
      isInHunk = true
      rows.push({ kind: 'hunk', before: null, after: null, parts: plain(line) })
    } else if (isInHunk && line.startsWith('-')) {
      rows.push({ kind: 'removed', before: before++, after: null, parts: plain(line.slice(1)) })
    } else if (isInHunk && line.startsWith('+')) {
      rows.push({ kind: 'added', before: null, after: after++, parts: plain(line.slice(1)) })
    } else if (isInHunk && line.startsWith(' ')) {
      rows.push({ kind: 'context', before: before++, after: after++, parts: plain(line.slice(1)) })
    }
  }
  markWords(rows)
  return rows
}

/** `limits.memory: 32Mi → 64Mi` for each line that was replaced by one other, to be asked about. */
export function changedLines(rows: DiffRow[]): string[] {
  return pairs(rows).map(([removed, added]) => {
    const [before, after] = [text(removed).trim(), text(added).trim()]
    const key = /^([\w.-]+:\s*)/.exec(before)?.[1]
    const isSameKey = key !== undefined && after.startsWith(key)
    return `${parentKey(rows, removed)}${before} → ${isSameKey ? after.slice(key.length) : after}`
  })
}

/** The YAML key that a line stands under, with a dot; empty where the diff does not show it. */
function parentKey(rows: DiffRow[], row: DiffRow): string {
  const above = rows.slice(0, rows.indexOf(row)).toReversed()
  const parent = above.find((each) => each.kind !== 'hunk' && indent(each) < indent(row))
  const key = parent && /^([\w-]+):\s*$/.exec(text(parent).trim())?.[1]
  return key ? `${key}.` : ''
}

function indent(row: DiffRow): number {
  return text(row).search(/\S/)
}

export function text(row: DiffRow): string {
  return row.parts.map((part) => part.text).join('')
}

/** Each run of removed lines beside the run of added lines that follows it, line by line. */
function pairs(rows: DiffRow[]): [DiffRow, DiffRow][] {
  const found: [DiffRow, DiffRow][] = []
  let removed: DiffRow[] = []
  for (const row of rows) {
    if (row.kind === 'removed') removed.push(row)
    else if (row.kind === 'added') {
      const counterpart = removed.shift()
      if (counterpart) found.push([counterpart, row])
    } else removed = []
  }
  return found
}

function markWords(rows: DiffRow[]): void {
  for (const [removed, added] of pairs(rows)) {
    const words = diffWordsWithSpace(text(removed), text(added))
    removed.parts = words
      .filter((word) => !word.added)
      .map((word) => ({ text: word.value, isChanged: word.removed }))
    added.parts = words
      .filter((word) => !word.removed)
      .map((word) => ({ text: word.value, isChanged: word.added }))
  }
}

function plain(line: string): Part[] {
  return [{ text: line, isChanged: false }]
}
