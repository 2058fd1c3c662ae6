import { clsx } from 'clsx'
import type { DiffRow } from '@/lib/diff'

const LINE: Record<DiffRow['kind'], string> = {
  context: 'text-fg-2',
  added: 'bg-add',
  removed: 'bg-del',
  hunk: 'bg-raised text-fg-3',
}
const WORD = { added: 'bg-add-word', removed: 'bg-del-word', context: '', hunk: '' } as const
const SIGN = { added: '+', removed: '−', context: '', hunk: '' } as const
const SAID = { added: 'added: ', removed: 'removed: ', context: '', hunk: '' } as const

/** A unified diff with line numbers; only the changed words are lit. */
export function Diff({ rows }: { rows: DiffRow[] }) {
  return (
    <div tabIndex={0} role="region" aria-label="Difference" className="max-h-80 overflow-auto">
      <table className="w-full border-collapse mono text-meta">
        <caption className="sr-only">What changes, line by line</caption>
        <thead className="sr-only">
          <tr>
            <th scope="col">Line before</th>
            <th scope="col">Line after</th>
            <th scope="col">Text</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row, index) => (
            <Line key={index} row={row} />
          ))}
        </tbody>
      </table>
    </div>
  )
}

function Line({ row }: { row: DiffRow }) {
  if (row.kind === 'hunk') {
    return (
      <tr className={LINE.hunk}>
        <td colSpan={3} className="px-3 py-0.5 whitespace-pre">
          {row.parts[0]?.text}
        </td>
      </tr>
    )
  }
  return (
    <tr className={LINE[row.kind]}>
      <td className="w-8 py-0.5 pl-2 text-right align-top text-fg-3 select-none">{row.before}</td>
      <td className="w-8 py-0.5 pl-2 text-right align-top text-fg-3 select-none">{row.after}</td>
      <td className="py-0.5 pr-3 pl-2 whitespace-pre">
        <span aria-hidden className="inline-block w-4 select-none">
          {SIGN[row.kind]}
        </span>
        <span className="sr-only">{SAID[row.kind]}</span>
        {row.parts.map((part, index) => (
          <span key={index} className={clsx(part.isChanged && 'rounded-[3px]', part.isChanged && WORD[row.kind])}>
            {part.text}
          </span>
        ))}
      </td>
    </tr>
  )
}
