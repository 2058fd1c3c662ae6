import type { Statement } from '@/lib/api/types'
import { Chips } from './Chip'

/** Sentences, each followed by the evidence it rests on. */
export function Sentences({ statements }: { statements: Statement[] }) {
  return statements.map((statement) => (
    <span key={statement.text}>
      {statement.text} <Chips ids={statement.evidence} />{' '}
    </span>
  ))
}
