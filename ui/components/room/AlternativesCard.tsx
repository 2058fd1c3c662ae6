import { PageLink } from '@/components/ui/PageLink'
import { Badge } from '@/components/ui/Badge'
import { Card } from '@/components/ui/Card'
import type { ProposalView } from '@/lib/api/types'
import { PROPOSAL, RISK } from '@/lib/labels'

interface AlternativesCardProps {
  incidentId: number
  proposals: ProposalView[]
}

/** The other proposals, those that were tried included. */
export function AlternativesCard({ incidentId, proposals }: AlternativesCardProps) {
  if (proposals.length === 0) return null
  return (
    <Card title="Alternatives" aside={proposals.length} className="order-3 lg:order-none">
      <ul className="divide-y">
        {proposals.map((proposal) => (
          <li key={proposal.id} className="flex items-center gap-3 px-3 py-2">
            <span className="mono text-meta text-fg-3">F{proposal.id}</span>
            <span className="min-w-0 flex-1">
              <span className="block break-words">{proposal.title}</span>
              <span className="flex flex-wrap items-center gap-1.5 text-meta text-fg-3">
                {proposal.status === 'proposed' ? (
                  `${RISK[proposal.risk].label} risk`
                ) : (
                  <Badge tone={PROPOSAL[proposal.status].tone}>{PROPOSAL[proposal.status].label}</Badge>
                )}
                {proposal.refusal && <span className="min-w-0 break-words">{proposal.refusal}</span>}
              </span>
            </span>
            <PageLink
              href={`/incident/?id=${incidentId}&fix=${proposal.id}`}
              scroll={false}
              className="inline-flex h-8 items-center rounded-md border px-2.5 font-medium hover:bg-raised max-sm:h-11"
            >
              Review<span className="sr-only"> F{proposal.id}</span>
            </PageLink>
          </li>
        ))}
      </ul>
    </Card>
  )
}
