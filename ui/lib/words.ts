import type { RunbookView } from './api/types'

export interface LitPart {
  text: string
  isLit: boolean
}

/** The text cut where a word begins and ends, whatever its case. */
export function lit(text: string, words: string[]): LitPart[] {
  if (words.length === 0) return [{ text, isLit: false }]
  const longestFirst = words.toSorted((a, b) => b.length - a.length)
  const pattern = new RegExp(`(${longestFirst.map(quoted).join('|')})`, 'gi')
  return text
    .split(pattern)
    .map((part, index) => ({ text: part, isLit: index % 2 === 1 }))
    .filter((part) => part.text !== '')
}

function quoted(word: string): string {
  return word.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
}

/** Markdown without the heading it opens with, where the title stands above it already. */
export function withoutTitle(markdown: string): string {
  return markdown.replace(/^\s*# [^\n]*\n/, '')
}

/** What a runbook is about; `*` as its service stands for all and says nothing. */
export function topics({ service, tags }: RunbookView): string[] {
  return [service, ...tags].filter((topic) => topic !== '' && topic !== '*')
}
