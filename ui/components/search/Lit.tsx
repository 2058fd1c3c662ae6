import { lit } from '@/lib/words'

/** Text with the searched words marked; always text nodes, whatever it holds. */
export function Lit({ text, words }: { text: string; words: string[] }) {
  return lit(text, words).map((part, index) =>
    part.isLit ? <mark key={index}>{part.text}</mark> : <span key={index}>{part.text}</span>,
  )
}
