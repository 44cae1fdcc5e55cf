/*
 * test_speakable.c - what a voice gets for what is written, in English and Hebrew
 */
#include "services/speakable.h"

#include <stdlib.h>

#include "tap.h"
#include "utils/scoped.h"
#include "utils/utf8.h"

struct row {
    const char *text, *want;
};

static const struct row english[] = {
    /* telephone numbers */
    { "Call 050-1234567.", "Call zero five zero, one two three, four five six seven." },
    { "050 123 4567", "zero five zero, one two three, four five six seven" },
    { "0501234567 today", "zero five zero, one two three, four five six seven today" },
    { "03-1234567", "zero three, one two three, four five six seven" },
    { "03-123-4567 at 8:15", "zero three, one two three, four five six seven at eight fifteen" },
    { "050-1234567 8:15", "zero five zero, one two three, four five six seven eight fifteen" },
    { "+972 50-123-4567", "plus nine seven two, five zero, one two three, four five six seven" },
    { "+1 (202) 555-0123", "plus one, two zero two, five five five, zero one two three" },
    { "(202) 555-0123", "two zero two, five five five, zero one two three" },
    { "1-800-555-1234", "one, eight zero zero, five five five, one two three four" },
    { "*2345", "star two three four five" },
    { "0 5 0, 1 2 3, 4 5 6 7", "zero five zero, one two three, four five six seven" },
    { "4580 1234 5678 9012", "four five eight zero, one two three four, five six seven eight, nine zero one two" },
    { "code 4821", "code four eight two one" },
    { "order 12345678", "order one two three, four five six, seven eight" },
    { "007", "zero zero seven" },
    /* money */
    { "₪1,250.50 per month", "one thousand two hundred and fifty shekels and fifty agorot per month" },
    { "5,000 NIS", "five thousand shekels" },
    { "₪5,000/month", "five thousand shekels per month" },
    { "$99.99", "ninety nine dollars and ninety nine cents" },
    { "$0.50", "fifty cents" },
    { "$1", "one dollar" },
    { "€5", "five euros" },
    { "£1.01", "one pound and one penny" },
    { "$2.5M", "two point five million dollars" },
    { "$2 million", "two million dollars" },
    { "$100-$200", "one hundred to two hundred dollars" },
    { "₪5,000-6,000", "five thousand to six thousand shekels" },
    /* dates */
    { "on 3.5.2026", "on May third, twenty twenty six" },
    { "2026-11-22", "November twenty second, twenty twenty six" },
    { "by 22/11", "by November twenty second" },
    { "3/5/26", "May third, twenty twenty six" },
    { "on 3.5", "on May third" },
    { "31.4.2026", "thirty one dot four dot two thousand and twenty six" },
    { "November 22, 2026", "November twenty second, twenty twenty six" },
    { "Nov. 3", "November third" },
    { "22nd of November", "November twenty second" },
    { "May 2026", "May twenty twenty six" },
    { "since 1999", "since nineteen ninety nine" },
    { "in 2005", "in two thousand and five" },
    { "I may 2 do", "I may two do" },
    /* times */
    { "10:30", "ten thirty" },
    { "10:00", "ten o'clock" },
    { "10:05", "ten oh five" },
    { "16:00", "four p m" },
    { "8pm", "eight p m" },
    { "8:30 a.m.", "eight thirty a m" },
    { "8:15-16:00", "eight fifteen to four p m" },
    { "8-10am", "eight to ten a m" },
    { "12:00", "noon" },
    { "00:00", "midnight" },
    { "25:00", "twenty five:zero zero" },
    /* numbers */
    { "3-4 rooms", "three to four rooms" },
    { "3 – 4 rooms", "three to four rooms" },
    { "3.5 rooms", "three and a half rooms" },
    { "3.25", "three point two five" },
    { "-5 degrees", "minus five degrees" },
    { "80 sqm", "eighty square meters" },
    { "80m²", "eighty square meters" },
    { "1 km", "one kilometer" },
    { "3%", "three percent" },
    { "3-5%", "three to five percent" },
    { "1,234,567", "one million two hundred and thirty four thousand five hundred and sixty seven" },
    { "1st", "first" },
    { "22nd floor", "twenty second floor" },
    { "a 3-room flat", "a three-room flat" },
    { "12a", "twelve a" },
    { "1.2.3", "one dot two dot three" },
    { "24/7", "twenty four seven" },
    { "1/2", "one half" },
    { "2+1", "two plus one" },
    { "3+", "three plus" },
    /* words */
    { "12 Herzl St., Tel Aviv", "twelve Herzl Street, Tel Aviv" },
    { "St. George", "Saint George" },
    { "on Herzl St.", "on Herzl Street." },
    { "Dr. Cohen", "Doctor Cohen" },
    { "No. No. 5", "No. number five" },
    { "etc.", "et cetera." },
    { "R&D", "R and D" },
    { "A & B", "A and B" },
    { "and/or", "and or" },
    { "house/flat", "house or flat" },
    { "house / flat", "house or flat" },
    { "dana.l+1@example.co.il", "dana dot l plus one at example dot co dot il" },
    { "https://www.example.com/path_a.", "www dot example dot com slash path underscore a." },
    { "example.com", "example dot com" },
    /* sentences */
    { "We have 2 offices. Your appointment is on Sunday, 22/11 at 9:30am.",
      "We have two offices. Your appointment is on Sunday, November twenty second at nine thirty a m." },
    { "It's at 5 Rothschild Blvd., 3rd floor, apt. 12.",
      "It's at five Rothschild Boulevard, third floor, apartment twelve." },
    { "Our hours are 8:00-17:00, Sun-Thu, and 8-12 on Fri.",
      "Our hours are eight to five p m, Sunday to Thursday, and eight to twelve on Friday." },
    { "That is $1.2 million, or about 3,500,000 ILS.",
      "That is one point two million dollars, or about three million five hundred thousand shekels." },
    { "I'll call you at 7.", "I'll call you at seven." },
    { "Press 1 for sales, 2 for service.", "Press one for sales, two for service." },
    { "10% off, 5 min, 2 hrs, 30 mins", "ten percent off, five minutes, two hours, thirty minutes" },
    { "Is it 3:15 or 3:45?", "Is it three fifteen or three forty five?" },
    { "The price is between 1,500,000 and 2,000,000 shekels.",
      "The price is between one million five hundred thousand and two million shekels." },
    { "Version 2.0, 3.14159", "Version two point zero, three point one four one five nine" },
    { "2-3 bedrooms; 100-120 sqm; 15-20%",
      "two to three bedrooms; one hundred to one hundred and twenty square meters; fifteen to twenty percent" },
    { "A4 paper, iPhone 15, Boeing 747, 5G, 4x4, 2nd-hand",
      "A4 paper, iPhone fifteen, Boeing seven hundred and forty seven, five G, four by four, second-hand" },
    { "at 12:30 p.m. on the 3rd", "at twelve thirty p m on the third" },
    { "between 10 and 11 am", "between ten and eleven a m" },
    { "10-12 June; June 3-5", "June tenth to twelfth; June third to fifth" },
    { "He's 35 years old, weighs 70kg, is 1.75m tall.",
      "He's thirty five years old, weighs seventy kilograms, is one point seven five meters tall." },
    { "https://example.com/?a=b&c=d", "example dot com slash question mark a equals b and c equals d" },
    { "I have $5 and 20 cents", "I have five dollars and twenty cents" },
    { "No. 1 choice; no. 2", "number one choice; number two" },
    { "+44 20 7946 0123 is London", "plus four four, two zero seven, nine four six, zero one two three is London" },
    { "1700-50-60-70, 1-800-123-456, 1-700-700-700",
      "one seven zero zero, five zero six, zero seven zero, one eight zero zero, one two three, four five six, one seven zero zero, seven zero zero, seven zero zero" },
    { "972501234567", "nine seven two, five zero one, two three four, five six seven" },
    { "(050) 123-4567", "zero five zero, one two three, four five six seven" },
    { "050-123-4567/8", "zero five zero, one two three, four five six seven eight" },
    { "12.", "twelve." },
    { "1,2,3", "one,two,three" },
    { "1, 2, 3", "one, two, three" },
    { "1.5M NIS; 500K", "one point five million shekels; five hundred thousand" },
    { "T-shirt, e-mail, state-of-the-art", "T-shirt, e-mail, state-of-the-art" },
    { "at 9:00 o'clock", "at nine o'clock" },
    { "w/ parking", "with parking" },
    { "25°C", "twenty five degrees Celsius" },
    { "1950s, 90s", "nineteen fifties, nineties" },
    { "temp -3°", "temp minus three degrees" },
    { "ext. 12", "extension twelve" },
    { "0.5%", "zero point five percent" },
    { "0", "zero" },
    { "1000000000000000000000",
      "one zero zero, zero zero zero, zero zero zero, zero zero zero, zero zero zero, zero zero zero, zero zero zero, zero" },
    { "Thanks, Dana! I have you down for a visit on 24.11.2026 at 16:30; we'll call you on 052-1234567 by then.",
      "Thanks, Dana! I have you down for a visit on November twenty fourth, twenty twenty six at four thirty p m; we'll call you on zero five two, one two three, four five six seven by then." },
    { "Sure: 4 rooms, 95 sqm, 3rd floor of 6, ₪2,350,000 (negotiable).",
      "Sure: four rooms, ninety five square meters, third floor of six, two million three hundred and fifty thousand shekels (negotiable)." },
    { "The fee is 2% + VAT; payment in 12 installments of $150 each.",
      "The fee is two percent plus VAT; payment in twelve installments of one hundred and fifty dollars each." },
    { "Opening hours: Sun.-Thu. 9:00-18:00, Fri 9:00-13:00.",
      "Opening hours: Sunday to Thursday nine to six p m, Friday nine to one p m." },
    { "Our fax is 03-612-3456 and our address is 12/3 Ben-Yehuda St., Tel-Aviv 6380112.",
      "Our fax is zero three, six one two, three four five six and our address is twelve three Ben-Yehuda Street, Tel-Aviv six three eight, zero one one, two." },
    { "I'll be there at 7:30PM, not 7:30AM.", "I'll be there at seven thirty p m, not seven thirty a m." },
    { "Q&A about the M&A", "Q and A about the M and A" },
    { "3,000-4,000 per month", "three thousand to four thousand per month" },
    { "($5)", "(five dollars)" },
    { "5$ or 5 $", "five dollars or five dollars" },
    { "€1,000.00", "one thousand euros" },
    { "$1,234.5", "one thousand two hundred and thirty four point five dollars" },
    { "+5%", "plus five percent" },
    { "100%.", "one hundred percent." },
    { "3rd-floor, 21st century, 100th, 112th",
      "third-floor, twenty first century, one hundredth, one hundred and twelfth" },
    { "Thu 22/11", "Thursday November twenty second" },
    { "at 9.", "at nine." },
    { "at 9.30", "at nine thirty" },
    { "You're #1!", "You're number one!" },
    { "5-7", "five to seven" },
    { "2-3-2026", "March second, twenty twenty six" },
    { "0.25", "zero point two five" },
    { "1.", "one." },
    { "at 9.30, at 3.5 km, at 8.15-9.15",
      "at nine thirty, at three point five kilometers, at eight fifteen to nine fifteen" },
    { "2%-3%, A + B, +5", "two to three percent, A plus B, plus five" },
    { "-$5", "minus five dollars" },
};

static const struct row hebrew[] = {
    { "התקשרו 050-1234567", "התקשרו אפס חמש אפס, אחת שתיים שלוש, ארבע חמש שש שבע" },
    { "+972-3-1234567", "אפס שלוש, אחת שתיים שלוש, ארבע חמש שש שבע" },
    { "ל-050-1234567", "לאפס חמש אפס, אחת שתיים שלוש, ארבע חמש שש שבע" },
    { "*2345", "כוכבית שתיים שלוש ארבע חמש" },
    { "קוד 4821", "קוד ארבע שמונה שתיים אחת" },
    { "1,250.50 ש\"ח", "אלף מאתיים וחמישים שקלים וחמישים אגורות" },
    { "₪1,250", "אלף מאתיים וחמישים שקלים" },
    { "₪1", "שקל אחד" },
    { "2 ₪", "שני שקלים" },
    { "3 שקלים", "שלושה שקלים" },
    { "5,000 ש״ח לחודש", "חמשת אלפים שקלים לחודש" },
    { "₪5,000/חודש", "חמשת אלפים שקלים לחודש" },
    { "2.5 מיליון ₪", "שניים וחצי מיליון שקלים" },
    { "$5", "חמישה דולרים" },
    { "כ-50 אלף שקל", "כחמישים אלף שקל" },
    { "ב-3.5 מיליון", "בשלושה וחצי מיליון" },
    { "3 אלף", "שלושת אלפים" },
    { "ב-3.5.2026", "בשלושה במאי אלפיים עשרים ושש" },
    { "ב-22/11", "בעשרים ושניים בנובמבר" },
    { "ב-3.5", "בשלושה במאי" },
    { "3 במאי 2026", "שלושה במאי אלפיים עשרים ושש" },
    { "ה-3 במאי", "השלושה במאי" },
    { "ב-10:30", "בעשר וחצי" },
    { "בשעה 8:15", "בשעה שמונה ורבע" },
    { "עד 16:00", "עד ארבע אחר הצהריים" },
    { "8:15-16:00", "שמונה ורבע עד ארבע אחר הצהריים" },
    { "20:45", "שמונה ארבעים וחמש בערב" },
    { "8:00 בערב", "שמונה בערב" },
    { "9:05", "תשע וחמש דקות" },
    { "12:00", "שתים עשרה בצהריים" },
    { "3-4 חדרים", "שלושה עד ארבעה חדרים" },
    { "3.5 חדרים", "שלושה וחצי חדרים" },
    { "2 חדרים", "שני חדרים" },
    { "1 חדר", "חדר אחד" },
    { "2 שעות", "שעתיים" },
    { "3 שנים", "שלוש שנים" },
    { "5 דקות", "חמש דקות" },
    { "12 לקוחות", "שנים עשר לקוחות" },
    { "2 מכוניות", "שתי מכוניות" },
    { "80 מ\"ר", "שמונים מטר רבוע" },
    { "15%", "חמישה עשר אחוז" },
    { "2%", "שני אחוזים" },
    { "1%", "אחוז אחד" },
    { "קומה ב'", "קומה שנייה" },
    { "קומה 3", "קומה שלוש" },
    { "הקומה ה-3", "הקומה השלישית" },
    { "ימים א'-ה'", "ימים ראשון עד חמישי" },
    { "יום ב׳", "יום שני" },
    { "ד\"ר כהן", "דוקטור כהן" },
    { "ולד״ר כהן", "ולדוקטור כהן" },
    { "ברח' הרצל 12", "ברחוב הרצל שתים עשרה" },
    { "עו\"ד לוי", "עורך דין לוי" },
    { "שד' רוטשילד 5", "שדרות רוטשילד חמש" },
    { "צה\"ל ובע\"מ", "צה\"ל ובע\"מ" },
    { "כהן & לוי", "כהן ולוי" },
    { "דירה/בית", "דירה או בית" },
    { "24/7", "עשרים וארבע שבע" },
    { "dana@example.co.il", "dana שטרודל example נקודה co נקודה il" },
    /* sentences */
    { "המחיר הוא בין 1,500,000 ל-2,000,000 ש\"ח", "המחיר הוא בין מיליון וחמש מאות אלף לשני מיליון שקלים" },
    { "נפגשים ב-3/5 בשעה 9:30 בבוקר", "נפגשים בשלושה במאי בשעה תשע וחצי בבוקר" },
    { "יש לי 3 ילדים, 2 בנות ו-1 בן", "יש לי שלושה ילדים, שתי בנות ובן אחד" },
    { "בן 35, בת 32, גובה 1.75 מ'", "בן שלושים וחמש, בת שלושים ושתיים, גובה אחד נקודה שבע חמש מטרים" },
    { "בשנת 2026, ב-1999", "בשנת אלפיים עשרים ושש, באלף תשע מאות תשעים ותשע" },
    { "דירת 4 חדרים בקומה 2 מתוך 5, 100 מ״ר + מרפסת 12 מ\"ר",
      "דירת ארבעה חדרים בקומה שתיים מתוך חמש, מאה מטר רבוע פלוס מרפסת שנים עשר מטר רבוע" },
    { "שכר דירה 4,500 ₪ + ארנונה 350 ש\"ח לחודשיים",
      "שכר דירה ארבעת אלפים וחמש מאות שקלים פלוס ארנונה שלוש מאות וחמישים שקלים לחודשיים" },
    { "10-12 איש, 20 יום, 30 דקות, 45 שניות", "עשרה עד שנים עשר איש, עשרים יום, שלושים דקות, ארבעים וחמש שניות" },
    { "טל' 03-6123456, פקס 03-6123457",
      "טלפון אפס שלוש, שש אחת שתיים, שלוש ארבע חמש שש, פקס אפס שלוש, שש אחת שתיים, שלוש ארבע חמש שבע" },
    { "שלוחה 123, לחצו 1 למכירות, 2 לשירות", "שלוחה אחת שתיים שלוש, לחצו אחת למכירות, שתיים לשירות" },
    { "10:00-14:00, א'-ה' 8:00-17:00", "עשר עד שתיים אחר הצהריים, ראשון עד חמישי שמונה עד חמש אחר הצהריים" },
    { "אחוז המימון הוא 75%, ריבית 3.5%, 0.5%", "אחוז המימון הוא שבעים וחמישה אחוז, ריבית שלושה וחצי אחוזים, חצי אחוז" },
    { "ב-5 בבוקר, ב-8 בערב", "בחמש בבוקר, בשמונה בערב" },
    { "עלה ב-20% מ-100 ל-120", "עלה בעשרים אחוז ממאה למאה ועשרים" },
    { "1.5 מיליון, 3 מיליון שקל, 2 מיליון", "מיליון וחצי, שלושה מיליון שקל, שני מיליון" },
    { "1 במאי, 2 ביוני 2027, ה-15 לחודש", "אחד במאי, שניים ביוני אלפיים עשרים ושבע, החמישה עשר לחודש" },
    { "12:30 בצהריים, 00:30, 13:00", "שתים עשרה וחצי בצהריים, שתים עשרה וחצי בלילה, אחת אחר הצהריים" },
    { "ה-1 בינואר", "האחד בינואר" },
    { "4 פעמים, 11 חודשים, 21 ימים, 22 שנים", "ארבע פעמים, אחד עשר חודשים, עשרים ואחד ימים, עשרים ושתיים שנים" },
    { "כ-3 ק\"מ, 500 מ', 2 ק\"מ", "כשלושה קילומטרים, חמש מאות מטר, שני קילומטרים" },
    { "5 כוכבים, 3 דלתות, 7 ארונות", "חמישה כוכבים, שלוש דלתות, שבעה ארונות" },
    { "בי\"ס, ת\"א, רח׳ אבן גבירול 71, ירושלים", "בי\"ס, תל אביב, רחוב אבן גבירול שבעים ואחת, ירושלים" },
    { "1-3, 2-3 ימים, 1-2 שבועות", "אחת עד שלוש, שניים עד שלושה ימים, אחד עד שני שבועות" },
    { "1,250.5 שקלים, 1.99 ש\"ח", "אלף מאתיים וחמישים וחצי שקלים, שקל אחד ותשעים ותשע אגורות" },
    { "מספר 12345678", "מספר אחת שתיים שלוש, ארבע חמש שש, שבע שמונה" },
    { "050-123-4567 (דנה)", "אפס חמש אפס, אחת שתיים שלוש, ארבע חמש שש שבע (דנה)" },
    { "17:00–19:30", "חמש עד שבע וחצי בערב" },
    { "ב־22.11.2026", "בעשרים ושניים בנובמבר אלפיים עשרים ושש" },
    { "22.11 ו-23.11", "עשרים ושניים בנובמבר ועשרים ושלושה בנובמבר" },
    { "ביום 22.11", "ביום עשרים ושניים בנובמבר" },
    { "ה-20, כיתה ג', קומה א'", "העשרים, כיתה ג', קומה ראשונה" },
    { "3 וחצי חדרים", "שלושה וחצי חדרים" },
    { "2.5 חדרים, 1/2 שעה", "שניים וחצי חדרים, חצי שעה" },
    { "WhatsApp 24 שעות", "WhatsApp עשרים וארבע שעות" },
    { "1 מתוך 5, 1 שקל, 1 ש\"ח", "אחת מתוך חמש, שקל אחד, שקל אחד" },
    { "100$ או 100€", "מאה דולר או מאה יורו" },
    { "תודה דנה! קבענו פגישה ב-24.11.2026 בשעה 16:30, נתקשר אליך ל-052-1234567.",
      "תודה דנה! קבענו פגישה בעשרים וארבעה בנובמבר אלפיים עשרים ושש בשעה ארבע וחצי אחר הצהריים, נתקשר אליך לאפס חמש שתיים, אחת שתיים שלוש, ארבע חמש שש שבע." },
    { "דירה 4 חדרים, 95 מ\"ר, קומה 3 מתוך 6, 2,350,000 ₪",
      "דירה ארבעה חדרים, תשעים וחמישה מטר רבוע, קומה שלוש מתוך שש, שני מיליון שלוש מאות וחמישים אלף שקלים" },
    { "העמלה היא 2% + מע\"מ, ב-12 תשלומים של 150 ש\"ח",
      "העמלה היא שני אחוזים פלוס מע\"מ, בשנים עשר תשלומים של מאה וחמישים שקלים" },
    { "שעות פתיחה: ימים א'-ה' 9:00-18:00, ו' 9:00-13:00",
      "שעות פתיחה: ימים ראשון עד חמישי תשע עד שש בערב, שישי תשע עד אחת אחר הצהריים" },
    { "הכתובת: בן יהודה 12/3, תל אביב, מיקוד 6380112",
      "הכתובת: בן יהודה שתים עשרה שלוש, תל אביב, מיקוד שש שלוש שמונה, אפס אחת אחת, שתיים" },
    { "משעה 9:00 עד 13:00", "משעה תשע עד אחת אחר הצהריים" },
    { "מ-9:00 עד 13:00", "מתשע עד אחת אחר הצהריים" },
    { "מ9:00 עד 13:00, ב9", "מתשע עד אחת אחר הצהריים, בתשע" },
    { "בשעה 21:00", "בשעה תשע בערב" },
    { "2-3 חדרים, 3-5 ק\"מ, 10-15%", "שניים עד שלושה חדרים, שלושה עד חמישה קילומטרים, עשרה עד חמישה עשר אחוז" },
    { "₪3,000-4,000", "שלושת אלפים עד ארבעת אלפים שקלים" },
    { "2.5%-3%", "שניים וחצי עד שלושה אחוזים" },
    { "לפני 2 דקות, בעוד 10 דקות, 2 דק'", "לפני שתי דקות, בעוד עשר דקות, שתי דקות" },
    { "פעמיים ב-7 ימים", "פעמיים בשבעה ימים" },
    { "3 דירות, 2 דירות, 1 דירה", "שלוש דירות, שתי דירות, דירה אחת" },
    { "13 דירות, 17 חדרים", "שלוש עשרה דירות, שבעה עשר חדרים" },
    { "2000 שקל, 2,000 שקלים, 1000 ש\"ח", "אלפיים שקל, אלפיים שקלים, אלף שקלים" },
    { "101 כלבים, 102 חתולים", "מאה ואחד כלבים, מאה ושניים חתולים" },
    { "0501234567", "אפס חמש אפס, אחת שתיים שלוש, ארבע חמש שש שבע" },
    { "077-1234567", "אפס שבע שבע, אחת שתיים שלוש, ארבע חמש שש שבע" },
    { "1-800-123456", "אחת שמונה אפס אפס, אחת שתיים שלוש, ארבע חמש שש" },
    { "03-1234567 שלוחה 5", "אפס שלוש, אחת שתיים שלוש, ארבע חמש שש שבע שלוחה חמש" },
    { "מע\"מ 17%, תשפ\"ז, רס\"ן, חז\"ל", "מע\"מ שבעה עשר אחוז, תשפ\"ז, רס\"ן, חז\"ל" },
    { "ה-22 בנובמבר, ב-1 לחודש", "העשרים ושניים בנובמבר, באחד לחודש" },
    { "האם ב-3/5 או ב-4/5?", "האם בשלושה במאי או בארבעה במאי?" },
    { "50%", "חמישים אחוז" },
    { "-5 מעלות, 25°", "מינוס חמש מעלות, עשרים וחמש מעלות" },
    { "2 מ\"ר, 1 מ\"ר, 11 מ\"ר", "שני מטרים רבועים, מטר רבוע אחד, אחד עשר מטר רבוע" },
    { "1.5 חדרים, 1.5 ש\"ח", "אחד וחצי חדרים, שקל וחצי" },
    { "20-30 דקות", "עשרים עד שלושים דקות" },
    { "ד'-ו'", "רביעי עד שישי" },
    { "כל יום א' ב-18:00", "כל יום ראשון בשש בערב" },
    { "5 ק\"ג, 10 ס\"מ", "חמישה קילוגרם, עשרה סנטימטרים" },
    { "בשעה 9.30", "בשעה תשע וחצי" },
};

static const char *const plain[] = {
    "",
    " ",
    "Good morning, this is the office. How can I help you?",
    "It's O'Neil's - well, not quite... \"really\"!",
    "B2B, COVID19 and MP3",
    "שלום, מדברת דנה. מה שלומך?",
    "צה\"ל, בע\"מ, ארה״ב – וגם חו''ל",
    "naïve café, Ünïcödé, 日本語",
    "\xff\xfe broken \xd7",
    "line\none\r\n\ttwo",
};

static void rows_are_said(const char *language, const struct row *rows, size_t n)
{
    char got[1024], again[1024];

    for (size_t i = 0; i < n; i++) {
        size_t n_got = speakable(language, rows[i].text, got, sizeof(got));
        ok(n_got == strlen(got) && strcmp(got, rows[i].want) == 0, "%s: %s", language, rows[i].text);
        if (strcmp(got, rows[i].want) != 0)
            printf("# got  \"%s\"\n# want \"%s\"\n", got, rows[i].want);
        (void)speakable(language, got, again, sizeof(again));
        if (strcmp(got, again) != 0)
            ok(0, "said again it is the same: %s", again);
    }
}

static void plain_text_stays(void)
{
    char got[256];

    for (size_t i = 0; i < ELEMENTSOF(plain); i++) {
        (void)speakable("en", plain[i], got, sizeof(got));
        is_str(got, plain[i], "plain text stays, in English");
        (void)speakable("he-IL", plain[i], got, sizeof(got));
        is_str(got, plain[i], "and in Hebrew");
    }
}

/* Every digit of a telephone number is said once, in its order, however it is parted. */
static void digits_are_said_once(void)
{
    static const char *const digit_words[] = { "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine" };
    static const char *const marks[] = { "-", " ", "", ".", "–" };
    char number[32], got[256], want[256];
    int n_bad = 0;

    for (unsigned seed = 1, i = 0; i < 1000; i++) {
        char digits[11] = "05";
        for (size_t d = 2; d < 10; d++, seed = seed * 1664525 + 1013904223)
            digits[d] = (char)('0' + (seed >> 16) % 10);
        const char *mark = marks[i % ELEMENTSOF(marks)];
        (void)snprintf(number, sizeof(number), "%.3s%s%.3s%s%.4s", digits, mark, digits + 3, mark, digits + 6);
        want[0] = '\0';
        for (size_t d = 0; d < 10; d++)
            (void)snprintf(want + strlen(want), sizeof(want) - strlen(want), "%s%s", d == 0 ? "" : d == 3 || d == 6 ? ", " : " ",
                           digit_words[digits[d] - '0']);
        (void)speakable("en", number, got, sizeof(got));
        if (strcmp(got, want) != 0 && n_bad++ < 3)
            printf("# %s: %s\n", number, got);
    }
    is_int(n_bad, 0, "a thousand telephone numbers, digit by digit");
}

static void what_does_not_fit(void)
{
    static const char text[] = "שלום, 050-1234567 ועוד";
    char whole[256], got[256];
    size_t n_whole = speakable("he", text, whole, sizeof(whole));
    int n_bad = 0;

    for (size_t size = 1; size <= n_whole + 1; size++) {
        size_t n = speakable("he", text, got, size);
        n_bad += n >= size || strncmp(got, whole, n) != 0 || got[n] || !utf8_valid(got, n);
        n_bad += n > strlen("שלום, ") && n < n_whole - strlen(" ועוד");
    }
    is_int(n_bad, 0, "it is cut between letters, and a number is whole or not there");
    got[0] = 'x';
    ok(speakable("he", text, got, 0) == 0 && got[0] == 'x', "no room at all");
}

int main(void)
{
    rows_are_said("en", english, ELEMENTSOF(english));
    rows_are_said("he", hebrew, ELEMENTSOF(hebrew));
    plain_text_stays();
    digits_are_said_once();
    what_does_not_fit();
    return done_testing();
}
