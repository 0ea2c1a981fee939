#!/bin/sh
# Makes DejaVuSans-subset.ttf of DejaVu Sans 2.37 (Debian: fonts-dejavu-core) with pyftsubset (PyPI:
# fonttools 4.68.0): sh subset.sh /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf DejaVuSans-subset.ttf
#
# Scripts that are written from the right or joined are left out: figures set one letter after the other.
# The box of a character that is missing (.notdef) keeps its outline. Kerning and other tables that would
# move letters are dropped.
set -eu

latin=20-7E,A0-2FF,1D00-1DBF,1E00-1EFF,2C60-2C7F,A700-A7FF,FB00-FB06
greek=370-3FF,1F00-1FFF
cyrillic=400-525,A640-A69F
armenian_georgian=531-58A,10A0-10FC,FB13-FB17
combining=300-362,20D0-20FF,FE00-FE0F,FE20-FE23
punctuation=2000-2064,206A-206F,20A0-20BF,FEFF,FFFC-FFFD
super_and_subscripts=2070-209C
letterlike=2100-218F,1D538-1D56B,1D5A0-1D5D3,1D7D8-1D7EB
mathematics=2190-22FF,27C0-27FF,2900-2AFF
symbols=2300-23FF,2460-2469,2500-27BF,2B00-2BFF

pyftsubset "$1" --output-file="$2" --no-hinting --notdef-outline --layout-features= \
    --drop-tables+=kern,GPOS,GSUB,GDEF,MATH,FFTM \
    --unicodes="$latin,$greek,$cyrillic,$armenian_georgian,$combining,$punctuation,$super_and_subscripts,$letterlike,$mathematics,$symbols"
