import { SearchX } from 'lucide-react'
import { Empty } from '@/components/ui/States'
import { PageLink } from '@/components/ui/PageLink'

export default function NotFound() {
  return (
    <div className="rounded-card border bg-panel">
      <h1 className="sr-only">Not found</h1>
      <Empty title="There is no such page" icon={<SearchX className="size-5 text-fg-3" aria-hidden />}>
        <PageLink href="/" className="underline">
          Go to the cluster
        </PageLink>
      </Empty>
    </div>
  )
}
