import { Suspense } from 'react'
import { RoomPage } from '@/components/room/RoomPage'
import { RoomSkeleton } from '@/components/room/RoomSkeleton'

export default function Page() {
  return (
    <Suspense fallback={<RoomSkeleton />}>
      <RoomPage />
    </Suspense>
  )
}
