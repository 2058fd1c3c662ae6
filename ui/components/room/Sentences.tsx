import type { Statement } from '@/lib/api/types'
import { Chips } from './Chip'

/** Sentences, each followed by the evidence it rests on. */
export function Sentences({ statements }: { statements: Statement[] }) {
  return statements.map((statement, index) => (
    <span key={index}>
      {statement.text} <Chips ids={statement.evidence} />{' '}
    </span>
  ))
}
