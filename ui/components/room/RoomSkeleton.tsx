import { RowSkeletons } from '@/components/ui/States'

/** The room's frame in its final size; also what is prerendered. */
export function RoomSkeleton() {
  return (
    <div role="status" aria-label="Loading the incident">
      <h1 className="sr-only">Incident</h1>
      <div className="mb-3 h-40 rounded-card border bg-panel p-3" aria-hidden>
        <span className="skeleton mb-3 block h-4 w-40" />
        <span className="skeleton mb-3 block h-5 w-80 max-w-full" />
        <span className="skeleton block h-4 w-[32rem] max-w-full" />
      </div>
      <div className="grid gap-3 lg:grid-cols-[minmax(0,1fr)_22rem] xl:grid-cols-[18rem_minmax(0,1fr)_22rem]" aria-hidden>
        {[8, 6, 5].map((rows) => (
          <div key={rows} className="rounded-card border bg-panel">
            <div className="h-10 border-b" />
            <RowSkeletons rows={rows} />
          </div>
        ))}
      </div>
    </div>
  )
}
