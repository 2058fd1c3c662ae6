'use client'

import type { RoomView } from '@/lib/api/types'
import { proposalToShow } from '@/lib/proposals'
import { AlertsCard } from './AlertsCard'
import { AlternativesCard } from './AlternativesCard'
import { KnownEvidence } from './Chip'
import { EvidenceCard } from './EvidenceCard'
import { GapsCard } from './GapsCard'
import { HypothesesCard } from './HypothesesCard'
import { MemoryCard } from './MemoryCard'
import { ProposalCard } from './ProposalCard'
import { RoomHeader } from './RoomHeader'
import { RunbookCard } from './RunbookCard'
import { SimilarCard } from './SimilarCard'
import { TimelineCard } from './TimelineCard'

interface RoomProps {
  room: RoomView
  /** The proposal that the address names, NaN for none. */
  fix: number
}

/** On a phone the columns dissolve and the fix comes first; `order` says where each card goes. */
export function Room({ room, fix }: RoomProps) {
  const shown = proposalToShow(room, fix)
  const others = room.proposals.filter((each) => each !== shown)
  const column = 'contents lg:flex lg:min-w-0 lg:flex-col lg:gap-3'
  return (
    <KnownEvidence value={new Set(room.evidence.map((each) => each.id))}>
      <RoomHeader room={room} />
      <div className="mt-3 grid grid-cols-1 gap-3 lg:grid-cols-[minmax(0,1fr)_22rem] xl:grid-cols-[18rem_minmax(0,1fr)_22rem]">
        <div className={`${column} lg:col-start-2 xl:col-start-3`}>
          <ProposalCard key={shown?.id} room={room} proposal={shown} />
          <AlternativesCard incidentId={room.incident.id} proposals={others} />
          <RunbookCard matches={room.runbooks} />
          <SimilarCard similar={room.similar} />
          <GapsCard gaps={room.gaps} dropped={room.dropped} />
        </div>
        <div className={`${column} lg:col-start-1 lg:row-start-1 xl:col-start-2`}>
          <HypothesesCard room={room} />
          <AlertsCard alerts={room.alerts} isOpen={room.incident.status !== 'resolved'} />
          <MemoryCard incident={room.incident} />
          <EvidenceCard evidence={room.evidence} />
        </div>
        <div className={`${column} lg:col-start-1 xl:row-start-1`}>
          <TimelineCard incidentId={room.incident.id} timeline={room.timeline} />
        </div>
      </div>
    </KnownEvidence>
  )
}
