'use client'

import ReactMarkdown from 'react-markdown'

/** Markdown as elements; raw HTML in it stays text, and images are not fetched. */
export function Markdown({ text }: { text: string }) {
  return (
    <div className="prose-runbook">
      <ReactMarkdown skipHtml={false} disallowedElements={['img']} unwrapDisallowed>
        {text}
      </ReactMarkdown>
    </div>
  )
}
