import { PageLink } from '@/components/ui/PageLink'
import { Card } from '@/components/ui/Card'
import { Empty } from '@/components/ui/States'
import type { RunbookMatch } from '@/lib/api/types'
import { RunbookStep } from './RunbookStep'

/** How such a case is handled; guidance, not evidence. */
export function RunbookCard({ matches }: { matches: RunbookMatch[] }) {
  const [best, ...others] = matches
  return (
    <Card
      title="Runbook"
      aside={best && `match ${best.score.toFixed(2)}`}
      className="order-7 lg:order-none"
    >
      {best ? <Best match={best} /> : <Empty title="No runbook fits this yet" />}
      {others.length > 0 && (
        <p className="border-t px-3 py-2 text-meta text-fg-3">
          Also:{' '}
          {others.map((match, index) => (
            <span key={match.slug}>
              {index > 0 && ', '}
              <PageLink href={`/runbooks/?slug=${match.slug}`} className="text-fg-2 underline">
                {match.title}
              </PageLink>
            </span>
          ))}
        </p>
      )}
    </Card>
  )
}

function Best({ match }: { match: RunbookMatch }) {
  return (
    <>
      <div className="px-3 py-2">
        <PageLink href={`/runbooks/?slug=${match.slug}`} className="font-semibold underline decoration-line-strong underline-offset-2 hover:decoration-fg">
          {match.title}
        </PageLink>
        <p className="text-meta break-words text-fg-3">{match.reason}</p>
      </div>
      {match.steps.length > 0 && (
        <ol className="divide-y border-t">
          {match.steps.map((step, index) => (
            <li key={index} className="grid grid-cols-[1.25rem_minmax(0,1fr)] gap-2.5 px-3 py-2">
              <span aria-hidden className="grid size-5 place-items-center rounded-full border mono text-tiny text-fg-3">
                {index + 1}
              </span>
              <span className="break-words text-fg-2"><RunbookStep text={step} />
              </span>
            </li>
          ))}
        </ol>
      )}
    </>
  )
}
