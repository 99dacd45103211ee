"""256 colours for classes, computed in advance: the first n stay as far apart as n colours can, for any n.

Recipe: the first ten are Petroff's (2021, "Accessible color sequences for data visualization"). Each further one is
the colour of the sRGB cube, on a grid of step 8, that is farthest from all before it (greedy farthest point, as in
Glasbey et al., 2007). Distance is the Euclidean one in CAM02-UCS, taken as the smallest of: normal vision, and twice
the distance as seen with full deuteranopia, protanopia and tritanopia (Machado et al., 2009). Candidates with a
contrast below 1.6 : 1 on white or 2.2 : 1 on the dark background are left out.

Smallest distance among the first n (normal / deuteranopia / protanopia / tritanopia):
10: 18.7 / 14.9 / 14.5 / 15.3; 20: 18.7 / 9.5 / 10.3 / 9.6; 50: 10.8 / 5.5 / 5.5 / 5.6; 256: 4.6 / 2.3 / 2.3 / 2.3.
Above some 20 no palette lets people tell all classes by colour alone: labels, hover and filters have to help.
"""

_TABLE = """
#3f90da #ffa90e #bd1f01 #94a4a2 #832db6 #a96b59 #e76300 #b9ac70 #717581 #92dadd #c0b0f8 #981060 #585038 #d050b0
#105868 #6050f8 #f0b8b8 #68a040 #98d860 #407030 #489078 #00d098 #c890c0 #504888 #905088 #d068f8 #e07088 #3020f0
#b04860 #a8c0e0 #c0b8c0 #784050 #907838 #60b0d8 #988098 #e83078 #b038c8 #7880b8 #785810 #c8a000 #307060 #4878a0
#a00098 #f00028 #c0d088 #d08858 #78b8a0 #806870 #804020 #a8b850 #f0b8f8 #a88868 #5860b0 #586848 #88a8f8 #9068e8
#989090 #d8d040 #d80898 #50a8b0 #d8b090 #b06000 #c82848 #68e0c0 #f810d0 #f080d8 #704878 #c06890 #e09088 #c0a8c8
#b80860 #b88830 #808068 #a84030 #0878d0 #a00838 #108048 #38b058 #486068 #f898b0 #e078b0 #e088f0 #a0c810 #a078d0
#6830d0 #586890 #80a870 #8088f8 #2850a0 #90d8a0 #e0b8d0 #f07048 #28a028 #b050a0 #e82850 #98c878 #505050 #10e830
#385820 #a888c0 #607868 #78d0f0 #a84878 #c88898 #688880 #90b090 #68c0b8 #e8a8d8 #903000 #b078a8 #a80080 #9860c0
#f09840 #707820 #b83088 #4838f8 #b0c0a0 #688058 #e8c870 #c0c8c8 #908858 #9098a8 #903858 #e858e0 #d05088 #c030b0
#b088a0 #b868c0 #c898e0 #f0b078 #789880 #509018 #487078 #e0c8b0 #60b880 #806840 #c8a8a8 #c82878 #78a098 #80a8c8
#006040 #8038e0 #d84868 #f880b0 #685058 #a0d0e8 #586820 #70c860 #8058c0 #4878f8 #3060a0 #08c848 #903040 #b878e0
#a840e0 #909878 #a070b0 #883070 #a02050 #48b800 #008078 #d09830 #783890 #88c0e8 #90c8c8 #e038e8 #c06078 #c8c088
#209888 #485800 #708088 #805068 #e840a0 #408830 #00b8b0 #c8b868 #a06870 #b888f8 #6088c8 #c09878 #c05850 #7808c0
#e08868 #b0c848 #d8a0b8 #80d0b8 #8878a0 #00d0d0 #885840 #b00810 #a09850 #585060 #80b8c8 #10b8e8 #b05010 #d8a080
#8810a8 #785858 #e85028 #8040c0 #306880 #706070 #e0a858 #983030 #8090d0 #604880 #b850f8 #786858 #807880 #a0c090
#b028b0 #884068 #b09860 #806890 #6098b8 #e888a0 #e86090 #907050 #985020 #b06898 #b8a0a8 #9860d8 #b0d898 #985070
#506838 #58c838 #38e0f0 #f8c060 #c8c0b0 #b09890 #7058d0 #d8c8d0 #a87880 #88b8b0 #e860c0 #18b840 #689038 #285850
#b0a0b8 #c098f8 #e08000 #905868 #b0d878 #7878d0 #c84048 #b0a0d0 #80e050 #388890 #884090 #386080 #d06070 #787038
#f88808 #b02838 #b84050 #705070
"""

CLASS_COLORS: tuple[str, ...] = tuple(_TABLE.split())
