import { PageLink } from '@/components/ui/PageLink'

const PARTS = /(`[^`]+`|\*[a-z0-9]+(?:-[a-z0-9]+)*\*)/

/** A step's text: `code` between backticks, another *runbook* by its name; nothing else of Markdown is read. */
export function RunbookStep({ text }: { text: string }) {
  return text.split(PARTS).map((part, index) => {
    if (index % 2 === 0) return part
    const inside = part.slice(1, -1)
    if (part.startsWith('*'))
      return (
        <PageLink key={index} href={`/runbooks/?slug=${inside}`} className="underline">
          {inside}
        </PageLink>
      )
    return (
      <code key={index} className="rounded bg-raised px-1 text-meta [overflow-wrap:anywhere]">
        {inside}
      </code>
    )
  })
}
