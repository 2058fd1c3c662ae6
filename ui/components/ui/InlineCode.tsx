/** Text in which what stands between backticks is code; nothing else of Markdown is read. */
export function InlineCode({ text }: { text: string }) {
  return text.split(/`([^`]+)`/).map((part, index) =>
    index % 2 === 1 ? (
      <code key={index} className="rounded bg-raised px-1 text-meta [overflow-wrap:anywhere]">
        {part}
      </code>
    ) : (
      part
    ),
  )
}
