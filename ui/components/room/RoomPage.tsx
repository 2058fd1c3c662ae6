'use client'

import { useQuery } from '@tanstack/react-query'
import { SearchX } from 'lucide-react'
import { PageLink } from '@/components/ui/PageLink'
import { useSearchParams } from 'next/navigation'
import { useEffect } from 'react'
import { Empty, Failure } from '@/components/ui/States'
import { ApiError } from '@/lib/api/client'
import { roomQuery } from '@/lib/api/queries'
import { incidentName } from '@/lib/format'
import { Room } from './Room'
import { RoomSkeleton } from './RoomSkeleton'

/** `/incident/?id=3`, and `&fix=12` for another proposal than the first. */
export function RoomPage() {
  const params = useSearchParams()
  const id = Number(params.get('id') ?? NaN)
  const fix = Number(params.get('fix') ?? NaN)
  return Number.isInteger(id) && id > 0 ? <RoomOf id={id} fix={fix} /> : <NoSuchRoom />
}

export function RoomOf({ id, fix }: { id: number; fix: number }) {
  const room = useQuery(roomQuery(id))
  const title = room.data?.incident.title
  useEffect(() => {
    document.title = title === undefined ? incidentName(id) : `${incidentName(id)} ${title}`
  }, [id, title])

  if (room.data) return <Room room={room.data} fix={fix} />
  if (room.error instanceof ApiError && room.error.status === 404) return <NoSuchRoom />
  if (room.error) {
    return (
      <div className="rounded-card border bg-panel">
        <h1 className="sr-only">{incidentName(id)}</h1>
        <Failure error={room.error} what="the incident" onRetry={() => void room.refetch()} />
      </div>
    )
  }
  return <RoomSkeleton />
}

function NoSuchRoom() {
  return (
    <div className="rounded-card border bg-panel">
      <h1 className="sr-only">Incident</h1>
      <Empty title="There is no such incident" icon={<SearchX className="size-5 text-fg-3" aria-hidden />}>
        <PageLink href="/incidents/?show=all" className="underline">
          See all incidents
        </PageLink>
      </Empty>
    </div>
  )
}
